"""Redemptions as they should go: reserved from what is there, then fulfilled or cancelled, once. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from tests.property.ledger_machine.books import Books, Parts

RESERVED_DAYS = 14
DAY_MS = 86_400_000


@dataclass
class Item:
    """What the catalogue says of it now, and how many are taken; `stock` None is without end."""

    price: int
    unit: str = "USD"
    stock: int | None = None
    tiers: tuple[str, ...] = ()
    per_person: int | None = None
    ends: date | None = None
    gives: int = 0
    is_offered: bool = True
    taken: int = 0


@dataclass
class Redeemed:
    """What was reserved under a key; its price stays."""

    item: str
    whose: str
    quantity: int
    price: int
    unit: str
    gives: int
    until: int
    parts: Parts = field(default_factory=list)
    state: Literal["reserved", "fulfilled", "cancelled"] = "reserved"
    is_overdue: bool = False
    id: str = ""


class RedemptionsModel:
    """The shelves of one programme and what was redeemed of them, by key; `tiers` where somebody was moved."""

    def __init__(self, books: Books, items: dict[str, Item]) -> None:
        self.books = books
        self.items = items
        self.made: dict[str, Redeemed] = {}
        self.tiers: dict[str, str] = {}

    def reserve(self, key: str, id: str, whose: str, quantity: int, now: int) -> set[str]:
        """Why not; nothing when it was done, now or before under this key."""
        if key in self.made:
            before = self.made[key]
            return set() if (before.item, before.whose, before.quantity) == (id, whose, quantity) else {"key-reused"}
        item = self.items[id]
        had = sum(
            one.quantity
            for one in self.made.values()
            if (one.item, one.whose) == (id, whose) and one.state != "cancelled"
        )
        price = item.price * quantity
        reasons = {
            "item-withdrawn": not item.is_offered,
            "item-no-longer": item.ends is not None and datetime.fromtimestamp(now / 1000, UTC).date() > item.ends,
            "tier-too-low": bool(item.tiers) and self.tiers.get(whose, "bronze") not in item.tiers,
            "per-person-limit": item.per_person is not None and had + quantity > item.per_person,
            "out-of-stock": item.stock is not None and item.taken + quantity > item.stock,
            "not-enough": self.books.spendable(whose, item.unit, now) < price,
        }
        if any(reasons.values()):
            return {code for code, holds in reasons.items() if holds}
        made = Redeemed(id, whose, quantity, price, item.unit, item.gives * quantity, now + RESERVED_DAYS * DAY_MS)
        made.parts = self.books.take(whose, item.unit, price, now)
        item.taken += quantity
        self.books.move(f"{whose}:available", f"{whose}:reserved", price, item.unit)
        self.made[key] = made
        return set()

    def end(self, one: Redeemed, state: Literal["fulfilled", "cancelled"]) -> bool:
        """Once; the same end again changes nothing, and the other one is refused."""
        if one.state != "reserved":
            return one.state == state
        one.state = state
        if state == "fulfilled":
            self.books.move(f"{one.whose}:reserved", "redeemed", one.price, one.unit)
            self.books.move("cost", f"{one.whose}:available", one.gives, "CREDIT")
        else:
            self.books.move(f"{one.whose}:reserved", f"{one.whose}:available", one.price, one.unit)
            self.books.put_back(one.parts)
            self.items[one.item].taken -= one.quantity
        return True

    def tick(self, now: int) -> None:
        for one in self.made.values():
            if one.state == "reserved" and one.until <= now:
                one.is_overdue = self.end(one, "cancelled")

    def publish(self, id: str, price: int, stock: int | None, *, is_offered: bool) -> bool:
        """Another version of an item; not with less than is taken."""
        item = self.items[id]
        if is_offered and stock is not None and stock < item.taken:
            return False
        item.is_offered = is_offered
        if is_offered:
            item.price, item.stock = price, stock
        return True
