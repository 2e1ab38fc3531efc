"""A catalogue that changes, and what is redeemed of it."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from services.rewards.catalogue.publishing import Catalogues
from services.rewards.standings.changes import Change, newest_changes
from services.rewards.standings.store import put
from tests.property.ledger_machine.lives import LivesRules
from tests.property.ledger_machine.office import PARTNERS, WHICH, calls, numbers
from tests.property.ledger_machine.redemptions_model import Item, Redeemed, RedemptionsModel
from tests.support.catalogues import catalogue_text, redeeming
from tests.support.decisions import decided, head

ENDS: Final = date(2026, 2, 10)
ITEMS: Final = ("badge", "card", "credit", "seat", "thing")
RESERVED: Final = st.tuples(st.sampled_from(ITEMS), st.integers(0, PARTNERS - 1), st.sampled_from((1, 1, 1, 2)))
KEYS_MAX: Final = 12


def shelves() -> dict[str, Item]:
    """Something of each kind: without end, counted, by codes, for few, for a time, and paid for in another unit."""
    return {
        "badge": Item(25, "CREDIT", ends=ENDS),
        "card": Item(10, stock=0),
        "credit": Item(20, gives=50),
        "seat": Item(5, tiers=("silver", "gold"), per_person=1),
        "thing": Item(30, stock=3),
    }


class RedemptionsRules(LivesRules):
    def __init__(self) -> None:
        super().__init__()
        self.redemptions = redeeming(self.database, self.clock)
        self.catalogues = Catalogues(self.database, clock=self.clock)
        self.shop = RedemptionsModel(self.model, shelves())
        self.works.append(self.redemptions.cancel_overdue)
        self.chores.append(self.shop.tick)
        self.codes = 0
        self.offset = 0
        self.run(self.catalogues.publish(self.text(), path="catalogue.yaml", by="ann"))
        self.load(2)

    def text(self) -> str:
        """The catalogue as the model has it."""
        items: dict[str, dict[str, object]] = {}
        for id, item in self.shop.items.items():
            places = {"price": f"{item.price // 100}.{item.price % 100:02} {item.unit}"}
            more: dict[str, object] = {}
            if id == "badge":
                more = {"to": ENDS}
            elif id == "credit":
                more = {"kind": "credit", "gives": "0.50 CREDIT"}
            elif id == "card":
                more = {"kind": "gift_card", "stock": "codes"}
            elif item.stock is not None:
                more = {"stock": item.stock}
            elif item.tiers:
                more = {"tiers": f"[{', '.join(item.tiers)}]", "per_person": item.per_person}
            if item.is_offered:
                items[id] = places | more
        return catalogue_text(self.name, **items)

    @initialize(partner=st.integers(0, PARTNERS - 1), asks=RESERVED)
    def begin_redemptions(self, partner: int, asks: tuple[str, int, int]) -> None:
        """One is handed over, one called off, one stays open."""
        self.reserve(("credit", partner, 1), 0)
        self.reserve(("thing", partner, 1), 1)
        self.reserve(asks, 2)
        for which, is_fulfilled in enumerate((True, False)):
            self.finish(which, is_fulfilled)

    @rule(
        work=st.one_of(
            *(calls("reserve", asks=RESERVED, key=st.integers(0, KEYS_MAX)),) * 3,
            *(calls("finish", which=WHICH, is_fulfilled=st.booleans()),) * 3,
            calls(
                "publish",
                id=st.sampled_from(("thing", "credit")),
                price=st.integers(1, 60),
                stock=st.integers(0, 4),
                is_offered=st.sampled_from((True, True, False)),
            ),
            calls("load", count=st.integers(1, 2)),
            calls("stand", partner=st.integers(0, PARTNERS - 1), tier=st.sampled_from(("bronze", "silver", "plus"))),
        )
    )
    def redeem(self, work: tuple[str, dict[str, Any]]) -> None:
        self.call(work)

    def reserve(self, asks: tuple[str, int, int], key: int) -> None:
        """Under a key that may have been used, for the same or for something else."""
        id, partner, quantity = asks
        whose, now = self.partners[partner], self.now()
        reasons = self.shop.reserve(f"k{key}", id, whose, quantity, now)
        done = self.agree(
            reasons,
            lambda: self.redemptions.reserve(self.name, id, whose, quantity=quantity, key=f"k{key}", by="ann"),
        )
        if done is not None:
            one = self.shop.made[f"k{key}"]
            assert (done.state, done.price_minor, one.id or done.id) == (one.state, one.price, done.id)
            one.id = done.id

    def finish(self, which: int, is_fulfilled: bool) -> None:
        if self.shop.made:
            made = list(self.shop.made.values())
            self.finish_one(made[which % len(made)], is_fulfilled=is_fulfilled)

    def finish_one(self, one: Redeemed, *, is_fulfilled: bool) -> None:
        self.now()
        reasons = set() if self.shop.end(one, "fulfilled" if is_fulfilled else "cancelled") else {"redemption-over"}
        if is_fulfilled:
            self.agree(reasons, lambda: self.redemptions.fulfil(one.id, by="bob"))
        else:
            self.agree(reasons, lambda: self.redemptions.cancel(one.id, reason="no", by="bob"))

    def publish(self, id: str, price: int, stock: int, is_offered: bool) -> None:
        """Another version; what is reserved keeps its price."""
        item = self.shop.items[id]
        before = (item.price, item.stock, item.is_offered)
        counted = stock if id == "thing" else None
        item.price, item.stock, item.is_offered = price, counted, is_offered
        text = self.text()
        item.price, item.stock, item.is_offered = before
        reasons = set() if self.shop.publish(id, price, counted, is_offered=is_offered) else {"stock-below-taken"}
        self.agree(reasons, lambda: self.catalogues.publish(text, path="catalogue.yaml", by="ann"))

    def load(self, count: int) -> None:
        """More codes, and the last one of before again."""
        codes = [f"{self.name}-{number}" for number in range(max(0, self.codes - 1), self.codes + count)]
        assert self.run(self.catalogues.load_codes(self.name, "card", codes, by="ann")) == count
        self.codes += count
        self.shop.items["card"].stock = self.codes

    def stand(self, partner: int, tier: str) -> None:
        """The rules have decided where somebody stands."""
        made = decided(
            next(numbers), rule="tier", programme=self.name, partner=f"{self.name}-{partner}", amount_minor=None,
            unit=None, tier_to=tier,
        )  # fmt: skip
        self.offset += 1
        self.run(self.keep(newest_changes([(self.offset, head(made))])))
        self.shop.tiers[self.partners[partner]] = tier

    async def keep(self, changes: list[Change]) -> None:
        async with self.database.connection() as connection:
            await put(connection, 0, changes, [True] * len(changes))

    @invariant(check_during_init=True)
    def shelves_are_the_models(self) -> None:
        rows = self.run(
            self.database.fetch_all(
                "SELECT item, taken, stock FROM rewards.catalogue_items WHERE programme = %(name)s", {"name": self.name}
            )
        )
        taken = {id: taken for id, taken, _ in rows}
        assert taken == {id: item.taken for id, item in self.shop.items.items()}
        assert all(taken >= 0 and (stock is None or taken <= stock) for _, taken, stock in rows)

    def teardown(self) -> None:
        """Nothing was redeemed twice, and each code went to one redemption."""
        found = self.run(self.redemptions_of_all())
        expected = {one.id: one for one in self.shop.made.values()}
        assert found.keys() == expected.keys()
        if any(one.is_overdue for one in self.shop.made.values()):
            self.reached.add("overdue")
        codes: list[str] = []
        for id, one in expected.items():
            assert found[id] == one.state
            if one.item == "card" and one.state == "fulfilled":
                own = self.run(self.redemptions.reveal(id, by="bob"))
                assert len(own) == one.quantity
                codes += own
        assert len(codes) == len(set(codes))
        super().teardown()

    async def redemptions_of_all(self) -> dict[str, str]:
        found = [await self.redemptions.listed(beneficiary=one) for one in self.partners]
        return {one.id: one.state for each in found for one in each}
