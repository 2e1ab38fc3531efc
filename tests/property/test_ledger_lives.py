"""The ledger against a small model: holds, clawbacks, budgets, lots and bookings by hand, in any order and batching.

A state machine delivers decisions (each possibly again, in any batch), lets days pass, ticks the clockwork and books by
hand. The model keeps plain dictionaries and does one thing after the other. After every step balances are the same, and
every invariant holds. One database for all examples; each has names of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

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
from services.rewards.store import SETUP, Ledger
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

DAY_MS = 86_400_000
BUDGET = 120
ANN = ByHand("model", "ann")
KINDS = ("plain", "held", "lot", "lot", "debt", "hold", "hold", "hold", "deny", "clawback", "clawback")
numbers = itertools.count()


class Model:
    """What should be: one decision after the other, in plain Python."""

    def __init__(self, programme: str) -> None:
        self.programme = programme
        self.balances: dict[str, int] = defaultdict(int)
        self.known: dict[str, dict[str, Any]] = {}
        self.queue: list[Decision] = []
        self.early: list[Decision] = []
        self.left: int | None = None

    def move(self, debit: str, credit: str, minor: int) -> None:
        self.balances[debit] -= minor
        self.balances[credit] += minor

    def take(self, decision: Decision, now: int) -> None:
        if decision.id in self.known or decision in self.early:
            return
        if decision.takes_back:
            self.take_back(decision)
            return
        if decision.restates:
            self.known[decision.id] = {"state": "debt", "of": decision}
            self.move(f"{decision.beneficiary}:available", "cost", -decision.amount_minor)
            return
        self.known[decision.id] = grant = {"state": "posted", "of": decision, "granted": 0, "pending": 0, "taken": 0}
        grant |= {"lot": 0, "expired": 0}
        for claim in decision.budgets:
            if self.left is None:
                self.left = BUDGET
                self.move(self.account("allotted"), self.account("budget"), BUDGET)
            if claim.when_spent == "deny":
                grant["state"] = "posted" if self.left >= decision.amount_minor else "denied"
            elif self.queue or self.left < decision.amount_minor:
                grant["state"] = "waiting"
                self.queue.append(decision)
        if grant["state"] == "posted":
            self.grant(decision, now)

    def account(self, kind: str) -> str:
        return f"programme:{self.programme}:{kind}:b"

    def grant(self, decision: Decision, now: int, *, claims: bool = True) -> None:
        grant, minor = self.known[decision.id], decision.amount_minor
        held = decision.available_at_ms is not None and decision.available_at_ms > now
        grant |= {"state": "posted", "granted": minor, "pending": minor if held else 0}
        grant["lot"] = minor if decision.expires_at_ms is not None else 0
        self.move("cost", f"{decision.beneficiary}:{'pending' if held else 'available'}", minor)
        if decision.budgets and claims:
            self.left -= minor
            self.move(self.account("budget"), self.account("spent"), minor)

    def take_back(self, decision: Decision) -> bool:
        grant = self.known.get(decision.takes_back)
        if grant is None or grant["state"] == "waiting":
            if decision not in self.early:
                self.early.append(decision)
            return False
        self.known[decision.id] = {"state": "clawback", "of": decision}
        can = grant["granted"] - grant["taken"] - grant["expired"]
        minor = min(-decision.amount_minor, can)
        from_hold = min(minor, grant["pending"])
        self.back(grant, minor, from_hold)
        return True

    def back(self, grant: dict[str, Any], minor: int, from_hold: int) -> None:
        whose = grant["of"].beneficiary
        grant["taken"] += minor
        grant["pending"] -= from_hold
        grant["lot"] -= min(grant["lot"], minor)
        self.move(f"{whose}:pending", "cost", from_hold)
        self.move(f"{whose}:available", "cost", minor - from_hold)

    def release(self, grant: dict[str, Any], minor: int) -> None:
        grant["pending"] -= minor
        self.move(f"{grant['of'].beneficiary}:pending", f"{grant['of'].beneficiary}:available", minor)

    def tick(self, now: int) -> None:
        grants = [grant for grant in self.known.values() if grant["state"] == "posted"]
        for grant in grants:
            if grant["pending"] and grant["of"].available_at_ms <= now:
                self.release(grant, grant["pending"])
        self.early = [one for one in self.early if not self.take_back(one)]
        lots = [g for g in grants if g["lot"] and not g["pending"] and g["of"].expires_at_ms <= now]
        for lot in sorted(lots, key=lambda g: (g["of"].expires_at_ms, g["of"].id)):
            whose, unit = lot["of"].beneficiary, lot["of"].unit
            minor, lot_minor = 0, lot["lot"]
            lot["lot"] = 0
            others = sum(
                g["lot"] - g["pending"]
                for g in grants
                if g["lot"] and (g["of"].beneficiary, g["of"].unit) == (whose, unit)
            )
            minor = min(lot_minor, max(0, self.balances[f"{whose}:available"] - others))
            lot["expired"] += minor
            self.move(f"{whose}:available", "cost", minor)
        while self.queue and self.left is not None and self.left >= self.queue[0].amount_minor:
            self.grant(self.queue.pop(0), now)


class Machine(RuleBasedStateMachine):
    """One example: a programme of its own, three partners, one budget."""

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
        self.clockwork = Clockwork(
            self.database, settler, clock=self.clock, every_s=1, batch_max=3, expiry_notice_days=5
        )
        self.bookings = Bookings(self.database, clock=self.clock)

    def make(self, draw: st.DataObject) -> Decision:
        minor = draw.draw(st.integers(1, 150), label="amount")
        kind = draw.draw(st.sampled_from(KINDS), label="kind")
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
            fields["budgets"] = (BudgetClaim("b", "", BUDGET, "USD", kind),)
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
            f"programme:{self.name}:{account}" if account in {"cost", "written-off"} else account: minor
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
def machine(postgres_module_url: str) -> Iterator[type[Machine]]:
    migrate(postgres_module_url, "rewards")
    with asyncio.Runner() as runner:
        database = Database(postgres_module_url, application="rewards", connections_max=3, setup=SETUP)
        runner.run(database.start())
        yield type("BoundMachine", (Machine,), {"url": postgres_module_url, "runner": runner, "database": database})
        runner.run(database.stop())


@pytest.mark.timeout(300)
def test_the_ledger_does_what_the_model_says(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            # A minimal example would take minutes of database work; the seed replays the failure as it was.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
