"""Memberships as they should go: a fee a term, renewed while there is enough, unused days given back. Plain Python."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

from tests.property.ledger_machine.books import Books, Parts

DAY_MS = 86_400_000


@dataclass
class Bought:
    """A membership by the month; the term under way begins at `since`."""

    whose: str
    price: int
    outside: bool
    renews: bool
    begun: int
    since: int
    until: int
    term: int = 0
    parts: Parts = field(default_factory=list)
    state: str = "active"
    id: str = ""


class MembershipsModel:
    """Of one programme, by key; `told` is what the rules hear of each partner, in its order."""

    def __init__(self, books: Books, tiers: dict[str, str]) -> None:
        self.books = books
        self.tiers = tiers
        self.made: dict[str, Bought] = {}
        self.told: dict[str, list[str]] = {}

    def buy(self, key: str, whose: str, price: int, *, outside: bool, renews: bool, now: int) -> set[str]:
        """Why not; nothing when it was done, now or before under this key."""
        if key in self.made:
            before = self.made[key]
            return set() if (before.whose, before.price, before.outside) == (whose, price, outside) else {"key-reused"}
        reasons = {
            "membership-active": any(one.whose == whose and one.state == "active" for one in self.made.values()),
            "not-enough": not outside and self.books.spendable(whose, "USD", now) < price,
        }
        if any(reasons.values()):
            return {code for code, holds in reasons.items() if holds}
        made = self.made[key] = Bought(whose, price, outside, renews, now, now, month_after(now, 1))
        self.charge(made, now)
        self.told.setdefault(whose, []).append("plus")
        return set()

    def charge(self, one: Bought, now: int) -> None:
        payer = "paid-outside" if one.outside else f"{one.whose}:available"
        if not one.outside:
            one.parts = self.books.take(one.whose, "USD", one.price, now)
        self.books.move(payer, "membership-fees", one.price)

    def leave(self, one: Bought, now: int, *, refunded: bool) -> bool:
        """By days that have not begun, half-even; into the lots that last longest first."""
        if one.state != "active":
            return one.state == "refunded"
        days, begun = -(-(one.until - one.since) // DAY_MS), (now - one.since) // DAY_MS + 1
        back = round(Fraction(one.price * max(0, days - begun), days)) if refunded else 0
        self.books.move("membership-fees", "paid-outside" if one.outside else f"{one.whose}:available", back)
        for grant, part in reversed(one.parts):
            self.books.put_back([(grant, min(part, back))])
            back -= min(part, back)
        self.close(one, "refunded")
        return True

    def close(self, one: Bought, state: str) -> None:
        """Back to bronze, unless they stand in another tier than the one they paid for."""
        one.state = state
        stands = self.tiers.get(one.whose, "plus")
        self.told[one.whose].append("bronze" if stands == "plus" else stands)

    def tick(self, now: int) -> None:
        """At most one term at a time: the clock of the test is never further ahead."""
        for one in self.made.values():
            if one.state != "active" or one.until > now:
                continue
            if one.renews and self.books.spendable(one.whose, "USD", now) >= one.price:
                one.term += 1
                one.since, one.until = one.until, month_after(one.begun, one.term + 1)
                self.charge(one, now)
            else:
                self.close(one, "ended")


def month_after(begun: int, months: int) -> int:
    """The same day and time so many months later, or the last day of a month that is too short."""
    at = datetime.fromtimestamp(begun // 1000, UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, monthrange(year, month + 1)[1])
    return round(at.replace(year=year, month=month + 1, day=day).timestamp()) * 1000 + begun % 1000
