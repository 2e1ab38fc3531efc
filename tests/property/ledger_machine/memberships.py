"""Memberships that are bought, renewed by the clock, and left."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from services.rewards.memberships.selling import Memberships, Offer
from tests.property.ledger_machine.memberships_model import MembershipsModel
from tests.property.ledger_machine.office import PARTNERS, WHICH, calls
from tests.property.ledger_machine.redemptions import RedemptionsRules

PAYING = st.sampled_from(("once", "renews", "renews", "outside"))


class MembershipsRules(RedemptionsRules):
    def __init__(self) -> None:
        super().__init__()
        self.memberships = Memberships(self.database, self.ledger, clock=self.clock)
        self.club = MembershipsModel(self.model, self.shop.tiers)
        self.works.append(self.memberships.end_terms)
        self.chores.append(self.club.tick)

    @initialize(paying=PAYING, refunded=st.booleans(), who=st.integers(0, 1))
    def begin_memberships(self, paying: str, refunded: bool, who: int) -> None:
        """One is renewed, unless it was left before; the other one ends as it may."""
        rich = self.richest()
        self.buy(rich, 31, "renews", 0)
        self.buy((rich + 1) % PARTNERS, 7, paying, 1)
        self.tick(27)
        if who:
            self.leave(who, refunded=refunded)
        self.tick(5)
        if not who:
            self.leave(who, refunded=True)

    @rule(
        work=st.one_of(
            calls(
                "buy",
                partner=st.integers(0, PARTNERS - 1),
                price=st.sampled_from((7, 31, 90)),
                paying=PAYING,
                key=st.integers(0, 8),
            ),
            calls("leave", which=WHICH, refunded=st.sampled_from((True, True, False))),
        )
    )
    def join(self, work: tuple[str, dict[str, Any]]) -> None:
        self.call(work)

    def buy(self, partner: int, price: int, paying: str, key: int) -> None:
        whose, now, outside = self.partners[partner], self.now(), paying == "outside"
        offer = Offer(
            "plus", "bronze", "month", price, "USD",
            paid_outside="invoice 7" if outside else None, renews=paying == "renews",
        )  # fmt: skip
        reasons = self.club.buy(f"c{key}", whose, price, outside=outside, renews=paying == "renews", now=now)
        done = self.agree(reasons, lambda: self.memberships.buy(self.name, whose, offer, key=f"c{key}", by="bob"))
        if done is not None:
            one = self.club.made[f"c{key}"]
            assert (done.state, done.term, done.until_ms) == (one.state, one.term, one.until)
            one.id = done.id

    def leave(self, which: int, refunded: bool) -> None:
        if self.club.made:
            keys = sorted(self.club.made)
            self.leave_one(keys[which % len(keys)], refunded=refunded)

    def leave_one(self, key: str, *, refunded: bool) -> None:
        one, now = self.club.made[key], self.now()
        reasons = set() if self.club.leave(one, now, refunded=refunded) else {"membership-over"}
        done = self.agree(reasons, lambda: self.memberships.cancel(one.id, reason="no", by="bob", is_refunded=refunded))
        assert done is None or done.state == one.state

    @invariant(check_during_init=True)
    def the_rules_hear_of_it_in_order(self) -> None:
        rows = self.run(
            self.database.fetch_all(
                "SELECT partner, array_agg(tier ORDER BY id) FROM rewards.tier_tellings WHERE programme = %(name)s"
                " GROUP BY partner",
                {"name": self.name},
            )
        )
        assert {f"partner:{partner}": tiers for partner, tiers in rows} == self.club.told

    def teardown(self) -> None:
        for one in self.club.made.values():
            found = self.run(self.memberships.show(one.id))
            assert (found.state, found.term, found.until_ms) == (one.state, one.term, one.until)
            if one.term:
                self.reached.add("renewed")
        super().teardown()
