"""Decisions, in any batch and each possibly again; what time does to them; what people book."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from contracts.decisions import BudgetClaim, Decision
from contracts.money import Money
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.clockwork import Clockwork, Work
from services.rewards.lives.settling import Settler
from tests.property.ledger_machine.lives_model import RULED
from tests.property.ledger_machine.office import ANN, DAY_MS, PARTNERS, WHICH, Office, calls

KINDS = ("plain", "plain", "held", "lot", "lot", "lot", "held lot", "debt", "hold", "hold", "deny", "back", "back")
BUDGETS = ("b", "goodwill")
"""That of the rules, and one that only people put into."""


def claims(when_spent: Literal["hold", "deny"]) -> tuple[BudgetClaim, ...]:
    return (BudgetClaim("b", "", RULED, "USD", when_spent),)


class LivesRules(Office):
    def __init__(self) -> None:
        super().__init__()
        self.bookings = Bookings(self.database, clock=self.clock)
        self.works: list[Work] = []

    @initialize(draw=st.data(), which=st.integers(0, PARTNERS - 1), part=st.sampled_from((None, 10)))
    def begin_lives(self, draw: st.DataObject, which: int, part: int | None) -> None:
        """One of each kind, something of a hold, somebody who owes more than they have, and who waits for a budget."""
        self.take([self.make(draw, kind) for kind in sorted(set(KINDS))])
        self.take([self.decide(number, 100, budgets=claims("hold")) for number in range(2)])
        for releases in (False, True):
            self.book(1, 1, releases)
        owes = max(0, self.model.available(self.partners[which])) + 20
        self.take([self.decide(which, -owes, restates="r-1")])
        self.write_off(0, part)
        self.top_up(400, "b")
        self.tick(0)

    def make(self, draw: st.DataObject, kind: str) -> Decision:
        minor = draw.draw(st.integers(1, 150), label="amount")
        day = self.clock.at_ms + draw.draw(st.integers(-3, 9), label="days") * DAY_MS
        partner = draw.draw(st.integers(0, PARTNERS - 1), label="partner")
        fields: dict[str, Any] = {}
        if kind == "back":
            taken = draw.draw(st.sampled_from(self.made), label="taken")
            if not (taken.takes_back or taken.restates):
                fields, minor = {"partner": taken.partner, "takes_back": taken.id}, -minor
        elif kind == "debt":
            fields, minor = {"restates": "r-1"}, -minor
        if kind in {"held", "hold", "held lot"}:
            fields["available_at_ms"] = day
        if kind in {"lot", "held lot"}:
            fields["expires_at_ms"] = day + DAY_MS * (kind == "held lot")
        if kind in {"hold", "deny"}:
            fields["budgets"] = claims("hold" if kind == "hold" else "deny")
        return self.decide(partner, minor, **fields)

    @rule(draw=st.data(), count=st.integers(1, 5))
    def deliver(self, draw: st.DataObject, count: int) -> None:
        """A batch, some of it not for the first time; what is made may also come later than what takes it back."""
        batch = []
        for _ in range(count):
            decision = self.make(draw, draw.draw(st.sampled_from(KINDS), label="kind"))
            if draw.draw(st.integers(0, 3), label="later") or decision.takes_back:
                batch.append(decision)
        batch += draw.draw(st.lists(st.sampled_from(self.made), max_size=3), label="again")
        self.take(batch)

    @rule(days=st.sampled_from((0, 0, 1, 1, 2, 3, 5, 14, 27)))
    def tick(self, days: int) -> None:
        self.clock.at_ms += days * DAY_MS
        now = self.now()
        settler = Settler(self.database, self.ledger)
        clockwork = Clockwork(
            self.database, settler, clock=self.clock, batch_max=3, expiry_notice_days=5, chores=self.works
        )
        self.run(clockwork.tick())

        def chores(at: int) -> None:
            for chore in self.chores:
                chore(at)

        self.model.tick(now, chores)
        if self.model.has_resumed:
            self.reached.add("resumed")

    @rule(
        work=st.one_of(
            calls("book", which=WHICH, minor=st.none() | st.integers(1, 60), releases=st.booleans()),
            calls("top_up", minor=st.integers(1, 200), budget=st.sampled_from(BUDGETS)),
            calls("write_off", which=WHICH, part=st.sampled_from((None, 10))),
        )
    )
    def by_hand(self, work: tuple[str, dict[str, Any]]) -> None:
        self.call(work)

    def book(self, which: int, minor: int | None, releases: bool) -> None:
        """A hold mostly, where there is any."""
        held = [one for one in self.made if one.id in self.model.known and self.model.known[one.id].pending]
        decisions = held if held and which % 4 else self.made
        decision = decisions[which % len(decisions)]
        grant = self.model.known.get(decision.id)
        can = grant.pending if grant else 0
        waits = (grant is not None and grant.state == "waiting") or decision in self.model.early
        part = can if minor is None else minor
        refuses = waits and not releases and minor is None
        reasons = set() if refuses or 0 < part <= can else {"nothing-held"}
        work = self.bookings.release if releases else self.bookings.void
        self.now()
        self.agree(reasons, lambda: work(decision.id, None if minor is None else Money(minor, "USD"), ANN))
        if refuses:
            self.model.refuse(decision)
        elif not reasons and grant and releases:
            self.model.release(grant, part)
        elif not reasons and grant:
            self.model.back(grant, part, part)

    def top_up(self, minor: int, budget: str) -> None:
        self.run(self.bookings.top_up(BudgetKey(self.name, budget, "", "USD"), minor, ANN))
        self.model.put_in(budget, minor)

    def write_off(self, which: int, part: int | None) -> None:
        """Of somebody who owes, where there is anybody."""
        people = [one for one in self.partners if self.model.available(one) < 0] or self.partners
        whose = people[which % len(people)]
        account, owed = f"{whose}:available", -self.model.available(whose)
        minor = owed if part is None else part
        self.now()
        self.agree(
            set() if 0 < minor <= owed else {"not-owed"},
            lambda: self.bookings.write_off(account, "USD", self.name, part, ANN),
        )
        if 0 < minor <= owed:
            self.model.move("written-off", account, minor)
