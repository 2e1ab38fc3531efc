"""Gifts that one person proposes and another approves."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from contracts.money import Money
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import Limits
from tests.property.ledger_machine.gifts_model import ONE, PERSON_YEAR, GiftsModel, Given
from tests.property.ledger_machine.lives import BUDGETS, LivesRules, claims
from tests.property.ledger_machine.office import PARTNERS, WHICH, calls

PEOPLE = st.sampled_from(("ann", "bob", "zoe"))


class GiftsRules(LivesRules):
    def __init__(self) -> None:
        super().__init__()
        limits = Limits({"USD": ONE}, {"USD": PERSON_YEAR})
        self.gifts = Gifts(self.database, self.ledger, clock=self.clock, limits=limits)
        self.given = GiftsModel(self.model)

    @initialize(partner=st.integers(0, PARTNERS - 1), minor=st.integers(1, ONE), has=st.sampled_from((20, 200)))
    def begin_gifts(self, partner: int, minor: int, has: int) -> None:
        self.top_up(has, "goodwill")
        self.propose(0, partner, minor, "goodwill", "ann")
        self.approve_one("g0", "bob")
        # Nobody overtakes those who wait, however little it is.
        self.take([self.decide(number, 100, budgets=claims("hold")) for number in range(2)])
        self.propose(1, partner, 1, "b", "ann")
        if "g1" in self.given.made:
            self.approve_one("g1", "bob")

    @rule(
        work=st.one_of(
            calls(
                "propose",
                key=st.integers(0, 8),
                partner=st.integers(0, PARTNERS - 1),
                minor=st.integers(1, ONE + 5),
                budget=st.sampled_from(BUDGETS),
                by=PEOPLE,
            ),
            calls("approve", which=WHICH, by=st.sampled_from((" Ann ", "bob", "zoe"))),
            calls("reject", which=WHICH, by=PEOPLE),
        )
    )
    def give(self, work: tuple[str, dict[str, Any]]) -> None:
        self.call(work)

    def propose(self, key: int, partner: int, minor: int, budget: str, by: str) -> None:
        whose, now = self.partners[partner], self.now()
        reasons = self.given.propose(f"g{key}", Given(whose, minor, budget, by), now)
        done = self.agree(
            reasons,
            lambda: self.gifts.propose(
                self.name, whose, Money(minor, "USD"), budget=budget, reason="thanks", key=f"g{key}", by=by
            ),
        )
        if done is not None:
            self.given.made[f"g{key}"].id = done.id

    def approve(self, which: int, by: str) -> None:
        if self.given.made:
            keys = sorted(self.given.made)
            self.approve_one(keys[which % len(keys)], by)

    def approve_one(self, key: str, by: str) -> None:
        gift, now = self.given.made[key], self.now()
        reasons = self.given.approve(gift, by, now)
        done = self.agree(reasons, lambda: self.gifts.approve(gift.id, by=by))
        assert done is None or done.state == "granted"

    def reject(self, which: int, by: str) -> None:
        if not self.given.made:
            return
        gift = list(self.given.made.values())[which % len(self.given.made)]
        self.now()
        reasons = set() if self.given.reject(gift) else {"gift-decided"}
        self.agree(reasons, lambda: self.gifts.reject(gift.id, by=by, because="no"))

    def teardown(self) -> None:
        for one in self.given.made.values():
            assert self.run(self.gifts.show(one.id)).state == one.state
        super().teardown()
