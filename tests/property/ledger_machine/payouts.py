"""Runs of payouts, a step or several at once, and payouts that partners ask for."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from services.rewards.payouts import store
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.directory import set_payee
from services.rewards.payouts.payee import Payee
from services.rewards.payouts.payout import Payout
from services.rewards.payouts.plan import Terms
from services.rewards.payouts.preparing import Asked, Preparer
from tests.property.ledger_machine.office import PARTNERS, WHICH, Office, calls
from tests.property.ledger_machine.payouts_model import FEE, MINIMUM, PayoutsModel

STEPS = ("approve", "send", "settle")
CALLED_OFF: Final = st.sampled_from((("cancel",), ("approve", "cancel")))
SENT_BACK: Final = st.sampled_from((("approve", "send"), STEPS))


class PayoutsRules(Office):
    def __init__(self) -> None:
        super().__init__()
        self.preparer = Preparer(self.database, self.ledger, clock=self.clock)
        self.desk = PayoutDesk(self.database, self.ledger, clock=self.clock)
        self.payouts = PayoutsModel(self.model)
        for each in self.partners:
            payee = Payee(beneficiary=each, method="manual", currency="USD", name="Ann", country="DE")
            self.run(set_payee(self.database, payee, who="ann", clock=self.clock))

    @initialize(called_off=CALLED_OFF, sent_back=SENT_BACK)
    def begin_payouts(self, called_off: tuple[str, ...], sent_back: tuple[str, ...]) -> None:
        """What somebody asks for is called off, or the bank sends it back; of everybody it gets there."""
        for steps in (called_off, sent_back):
            self.ask(self.richest(), 40)
            for step in steps:
                self.step_run(-1, step)
        self.step_one(-1, "return")
        self.pay_out(0, STEPS)
        self.take([self.decide(number, 100) for number in range(PARTNERS)])

    @rule(
        work=st.one_of(
            calls(
                "pay_out",
                number=st.integers(0, 3),
                steps=st.sampled_from(((), ("approve",), ("approve", "send"), STEPS)),
            ),
            calls("ask", partner=st.integers(0, PARTNERS - 1), minor=st.sampled_from((None, 1, 40, 300))),
            calls("step_run", which=WHICH, step=st.sampled_from((*STEPS, "cancel"))),
            calls("step_one", which=WHICH, step=st.sampled_from(("settle", "return", "return", "cancel"))),
        )
    )
    def pay(self, work: tuple[str, dict[str, Any]]) -> None:
        self.call(work)

    def pay_out(self, number: int, steps: tuple[str, ...]) -> None:
        """A run of all partners, which may be there already, and how far it goes at once."""
        self.now()
        name = f"{self.name}/USD/r{number}"
        terms = Terms(minimum_minor=MINIMUM, fee_minor=FEE)
        asked = Asked(programme=self.name, unit="USD", period=f"r{number}", terms=terms)
        run = self.run(self.preparer.prepare(asked, who="ann"))
        expected = self.payouts.prepare(name, self.partners)
        found = {one.beneficiary: one for one in self.run(self.payouts_of(run.id))}
        assert (run.state, found.keys()) == (expected.state, {one.beneficiary for one in expected.payouts})
        for one in expected.payouts:
            one.id = found[one.beneficiary].id
        for step in steps:
            self.take_step(name, step)

    def ask(self, partner: int, minor: int | None) -> None:
        self.now()
        whose = self.partners[partner]
        done = self.agree(
            self.payouts.request(whose, minor),
            lambda: self.preparer.request(self.name, "USD", whose, minor, who="zoe"),
        )
        if done is not None:
            run, payout = done
            expected = self.payouts.requested(run.reference, whose, minor)
            expected.payouts[0].id = payout.id
            assert payout.gross_minor == expected.payouts[0].gross

    def step_run(self, which: int, step: str) -> None:
        if self.payouts.runs:
            names = list(self.payouts.runs)
            self.take_step(names[which % len(names)], step)

    def step_one(self, which: int, step: str) -> None:
        made = [(run, one) for run in self.payouts.runs.values() for one in run.payouts]
        if not made:
            return
        run, payout = made[which % len(made)]
        works = {
            "settle": lambda: self.desk.settle(payout.id, None, "bank", who="bob"),
            "return": lambda: self.desk.return_(payout.id, None, "AC04", who="bob"),
            "cancel": lambda: self.desk.cancel_one(payout.id, who="bob", reason="no"),
        }
        self.now()
        reasons = set() if self.payouts.step_one(run, payout, step) else {"payout-in-other-state"}
        done = self.agree(reasons, works[step])
        assert done is None or done.state == payout.state

    def take_step(self, name: str, step: str) -> None:
        works = {
            "approve": lambda: self.desk.approve(name, who="bob"),
            "send": lambda: self.desk.send(name, who="bob"),
            "settle": lambda: self.desk.settle_run(name, who="bob", reference="bank"),
            "cancel": lambda: self.desk.cancel(name, who="bob", note="no"),
        }
        self.now()
        expected = self.payouts.runs[name]
        reasons = set() if self.payouts.step_run(expected, step) else {"run-in-other-state"}
        done = self.agree(reasons, works[step])
        assert done is None or done.state == expected.state

    async def payouts_of(self, run: str) -> list[Payout]:
        async with self.database.connection() as connection:
            return await store.payouts_of(connection, run)
