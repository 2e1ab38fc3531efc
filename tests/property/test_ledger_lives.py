"""The ledger against a small model: holds, clawbacks, budgets, lots, bookings by hand and payouts, in any order.

A state machine delivers decisions (each possibly again, in any batch), lets days pass, ticks the clockwork, books by
hand and pays out. The model keeps plain dictionaries and does one thing after the other. After every step balances are
the same, and in the end every invariant holds. One database for all examples; each has names of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contracts.decisions import BudgetClaim, Decision
from contracts.errors import PermanentError
from contracts.money import Money
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.clockwork import Clockwork
from services.rewards.legs import ByHand
from services.rewards.lives.settling import Settler
from services.rewards.payouts import store
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.directory import set_payee
from services.rewards.payouts.payee import Payee
from services.rewards.payouts.payout import Payout
from services.rewards.payouts.plan import Terms
from services.rewards.payouts.preparing import Asked, Preparer
from services.rewards.store import SETUP, Ledger
from tests.property.ledger_model import BUDGET, Model
from tests.property.payout_model import FEE, MINIMUM, PayoutModel
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

DAY_MS = 86_400_000
ANN = ByHand("model", "ann")
KINDS = {
    # Mostly what has a life of its own.
    "lives": ("plain", "held", "lot", "lot", "debt", "hold", "hold", "hold", "deny", "clawback", "clawback"),
    # Mostly what can be spent.
    "money": (*("plain",) * 12, "held", "lot", "debt", "clawback"),
}
STEPS = ("approve", "send", "settle")
numbers = itertools.count()


class Machine(RuleBasedStateMachine):
    """One example: a programme of its own, three partners, one budget."""

    mix: str
    url: str
    runner: asyncio.Runner
    database: Database

    @initialize()
    def begin(self) -> None:
        self.name = f"m{next(numbers)}"
        self.clock = SetClock(POSTED_AT_MS)
        self.model = Model(self.name)
        self.made: list[Decision] = []
        ledger = Ledger(self.database)
        settler = Settler(self.database, ledger)
        self.clockwork = Clockwork(self.database, settler, clock=self.clock, batch_max=3, expiry_notice_days=5)
        self.bookings = Bookings(self.database, clock=self.clock)
        self.preparer = Preparer(self.database, ledger, clock=self.clock)
        self.desk = PayoutDesk(self.database, ledger, clock=self.clock)
        self.payouts = PayoutModel(self.model)
        self.partners = [f"partner:{self.name}-{number}" for number in range(3)]
        self.runner.run(self.tell_payees())
        if self.mix == "money":
            self.take([self.grant(number) for number in range(3)])

    async def tell_payees(self) -> None:
        for each in self.partners:
            payee = Payee(beneficiary=each, method="manual", currency="USD", name="Ann", country="DE")
            await set_payee(self.database, payee, who="ann", clock=self.clock)

    def make(self, draw: st.DataObject) -> Decision:
        minor = draw.draw(st.integers(1, 150), label="amount")
        kind = draw.draw(st.sampled_from(KINDS[self.mix]), label="kind")
        day = self.clock.at_ms + draw.draw(st.integers(-3, 9), label="days") * DAY_MS
        fields: dict[str, Any] = {"partner": f"{self.name}-{draw.draw(st.integers(0, 2))}"}
        if kind == "clawback" and self.made:
            taken = draw.draw(st.sampled_from(self.made))
            if not (taken.takes_back or taken.restates):
                fields = {"partner": taken.partner, "takes_back": taken.id}
                minor = -minor
        elif kind == "debt":
            fields["restates"], minor = "r-1", -minor
        elif kind in {"held", "hold"}:
            fields["available_at_ms"] = day
        elif kind == "lot":
            fields["expires_at_ms"] = day
        if kind in {"hold", "deny"}:
            fields["budgets"] = (BudgetClaim("b", "", BUDGET, "USD", "hold" if kind == "hold" else "deny"),)
        return decided(next(numbers), amount_minor=minor, programme=self.name, **fields)

    @rule(draw=st.data(), count=st.integers(1, 5))
    def deliver(self, draw: st.DataObject, count: int) -> None:
        """A batch, some of it not for the first time; what is made may also come later than what takes it back."""
        batch = []
        for _ in range(count):
            decision = self.make(draw)
            self.made.append(decision)
            if draw.draw(st.integers(0, 3), label="later") or decision.takes_back:
                batch.append(decision)
        batch += draw.draw(st.lists(st.sampled_from(self.made), max_size=3), label="again")
        self.take(batch)

    def grant(self, number: int) -> Decision:
        made = decided(next(numbers), amount_minor=200, programme=self.name, partner=f"{self.name}-{number}")
        self.made.append(made)
        return made

    def take(self, batch: list[Decision]) -> None:
        self.runner.run(deliver(self.database, *batch, at_ms=self.clock.at_ms))
        for is_plain in (True, False):
            for decision in batch:
                if is_plain == _is_plain(decision):
                    self.model.take(decision, self.clock.at_ms)

    @rule(days=st.integers(0, 4))
    def tick(self, days: int) -> None:
        self.clock.at_ms += days * DAY_MS
        self.runner.run(self.clockwork.tick())
        self.model.tick(self.clock.at_ms)

    @rule(draw=st.data(), minor=st.one_of(st.none(), st.integers(1, 60)), releases=st.booleans())
    def book(self, draw: st.DataObject, minor: int | None, releases: bool) -> None:
        if not self.made:
            return
        decision = draw.draw(st.sampled_from(self.made))
        grant = self.model.known.get(decision.id, {"state": "unknown"})
        part = None if minor is None else Money(minor, "USD")
        work = self.bookings.release if releases else self.bookings.void
        can = grant.get("pending", 0) if grant["state"] == "posted" else 0
        waits = not releases and minor is None and (grant["state"] == "waiting" or decision in self.model.early)
        if waits:
            self.runner.run(work(decision.id, part, ANN))
            self.model.known[decision.id] = {"state": "refused", "of": decision, "granted": 0, "pending": 0}
            self.model.known[decision.id] |= {"taken": 0, "expired": 0, "lot": 0}
            self.model.queue = [one for one in self.model.queue if one.id != decision.id]
            self.model.early = [one for one in self.model.early if one.id != decision.id]
        elif 0 < (can if minor is None else minor) <= can:
            self.runner.run(work(decision.id, part, ANN))
            if releases:
                self.model.release(grant, can if minor is None else minor)
            else:
                self.model.back(grant, can if minor is None else minor, can if minor is None else minor)
        else:
            with pytest.raises(PermanentError):
                self.runner.run(work(decision.id, part, ANN))

    @rule(minor=st.integers(1, 200))
    def top_up(self, minor: int) -> None:
        if self.model.left is not None:
            key = BudgetKey(self.name, "b", "", "USD")
            self.runner.run(self.bookings.top_up(key, minor, ANN))
            self.model.left += minor
            self.model.move(self.model.account("allotted"), self.model.account("budget"), minor)

    @rule(number=st.integers(0, 2))
    def write_off(self, number: int) -> None:
        account = f"partner:{self.name}-{number}:available"
        owed = -self.model.balances[account]
        if owed > 0:
            self.runner.run(self.bookings.write_off(account, "USD", self.name, None, ANN))
            self.model.move("written-off", account, owed)

    @rule(number=st.integers(0, 3), steps=st.sampled_from(((), ("approve",), ("approve", "send"), STEPS)))
    def pay_out(self, number: int, steps: tuple[str, ...]) -> None:
        """A run of all partners, which may be there already, and how far it goes at once."""
        terms = Terms(minimum_minor=MINIMUM, fee_minor=FEE)
        asked = Asked(programme=self.name, unit="USD", period=f"r{number}", terms=terms)
        run = self.runner.run(self.preparer.prepare(asked, who="ann"))
        expected = self.payouts.prepare(f"r{number}", self.partners)
        found = {one.beneficiary: one for one in self.runner.run(self.payouts_of(run.id))}
        assert (run.state, found.keys()) == (expected.state, {one.beneficiary for one in expected.payouts})
        for one in expected.payouts:
            one.id = found[one.beneficiary].id
        for step in steps:
            self.take_step(f"r{number}", step)

    async def payouts_of(self, run: str) -> list[Payout]:
        async with self.database.connection() as connection:
            return await store.payouts_of(connection, run)

    @precondition(lambda self: self.payouts.runs)
    @rule(draw=st.data(), step=st.sampled_from((*STEPS, "cancel")))
    def step_run(self, draw: st.DataObject, step: str) -> None:
        self.take_step(draw.draw(st.sampled_from(sorted(self.payouts.runs))), step)

    def take_step(self, period: str, step: str) -> None:
        name, expected = f"{self.name}/USD/{period}", self.payouts.runs[period]
        works = {
            "approve": lambda: self.desk.approve(name, who="bob"),
            "send": lambda: self.desk.send(name, who="bob"),
            "settle": lambda: self.desk.settle_run(name, who="bob", reference="bank"),
            "cancel": lambda: self.desk.cancel(name, who="bob", note="no"),
        }
        if self.payouts.step_run(expected, step):
            assert self.runner.run(works[step]()).state == expected.state
        else:
            with pytest.raises(PermanentError):
                self.runner.run(works[step]())

    @precondition(lambda self: any(run.payouts for run in self.payouts.runs.values()))
    @rule(draw=st.data(), step=st.sampled_from(("settle", "return", "return", "cancel")))
    def step_one(self, draw: st.DataObject, step: str) -> None:
        made = [(run, one) for run in self.payouts.runs.values() for one in run.payouts]
        run, payout = draw.draw(st.sampled_from(made))
        works = {
            "settle": lambda: self.desk.settle(payout.id, None, "bank", who="bob"),
            "return": lambda: self.desk.return_(payout.id, None, "AC04", who="bob"),
            "cancel": lambda: self.desk.cancel_one(payout.id, who="bob", reason="no"),
        }
        if self.payouts.step_one(run, payout, step):
            assert self.runner.run(works[step]()).state == payout.state
        else:
            with pytest.raises(PermanentError):
                self.runner.run(works[step]())

    @invariant()
    def balances_are_the_models(self) -> None:
        if not hasattr(self, "model"):
            return
        found = {
            account: minor
            for (account, _), minor in found_balances(self.url).items()
            if minor and account.startswith((f"partner:{self.name}-", f"programme:{self.name}:"))
        }
        expected = {
            f"programme:{self.name}:{account}" if account in {"cost", "written-off", "payout-fees"} else account: minor
            for account, minor in self.model.balances.items()
            if minor
        }
        assert found == expected

    def teardown(self) -> None:
        self.runner.run(assert_sound(self.database))


def _is_plain(decision: Decision) -> bool:
    fields = (decision.available_at_ms, decision.expires_at_ms, decision.takes_back)
    return not decision.budgets and all(field is None for field in fields)


@pytest.fixture
def machine(postgres_module_url: str, mix: str) -> Iterator[type[Machine]]:
    migrate(postgres_module_url, "rewards")
    with asyncio.Runner() as runner:
        database = Database(postgres_module_url, application="rewards", connections_max=3, setup=SETUP)
        runner.run(database.start())
        bound = {"mix": mix, "url": postgres_module_url, "runner": runner, "database": database}
        yield type("BoundMachine", (Machine,), bound)
        runner.run(database.stop())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mix", KINDS)
def test_the_ledger_does_what_the_model_says(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            # A minimal example would take minutes of database work; the seed replays the failure as it was.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
