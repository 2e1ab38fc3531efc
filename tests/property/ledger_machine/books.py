"""What accounts hold in the model: one dictionary, and lots that are spent oldest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.decisions import Decision

Parts = list[tuple["Grant", int]]


@dataclass(eq=False)
class Grant:
    """A decision and what has become of it; `lot` is what of it its date has still to close."""

    of: Decision
    state: str = "posted"
    granted: int = 0
    pending: int = 0
    taken: int = 0
    lot: int = 0
    expired: int = 0

    @property
    def takeable(self) -> int:
        return self.granted - self.taken - self.expired

    @property
    def age(self) -> tuple[int, str]:
        """The oldest lot is spent first."""
        return self.of.expires_at_ms or 0, self.of.id


class Books:
    """Balances by account and unit, and all that was granted."""

    def __init__(self, programme: str) -> None:
        self.programme = programme
        self.balances: Counter[tuple[str, str]] = Counter()
        self.known: dict[str, Grant] = {}

    def move(self, debit: str, credit: str, minor: int, unit: str = "USD") -> None:
        """Accounts without a colon are the programme's."""
        self.balances[self.address(debit), unit] -= minor
        self.balances[self.address(credit), unit] += minor

    def address(self, account: str) -> str:
        return account if ":" in account else f"programme:{self.programme}:{account}"

    def available(self, whose: str, unit: str = "USD") -> int:
        return self.balances[f"{whose}:available", unit]

    def lots(self, whose: str, unit: str) -> Parts:
        """What is left of each lot, the oldest first: what the account holds, less what the later ones hold."""
        found: Parts = []
        rest = self.available(whose, unit)
        own = [g for g in self.known.values() if g.lot and (g.of.beneficiary, g.of.unit) == (whose, unit)]
        rest -= sum(grant.lot - grant.pending for grant in own if grant.pending)
        for grant in sorted((grant for grant in own if not grant.pending), key=lambda g: g.age, reverse=True):
            found.insert(0, (grant, min(grant.lot, max(0, rest))))
            rest -= grant.lot
        return found

    def spendable(self, whose: str, unit: str, now: int) -> int:
        """Without what has expired and is only not taken away yet."""
        over = sum(left for grant, left in self.lots(whose, unit) if _is_over(grant, now))
        return max(0, self.available(whose, unit) - over)

    def take(self, whose: str, unit: str, minor: int, now: int) -> Parts:
        """Out of lots, the oldest first; what none of them has to give has no date."""
        parts: Parts = []
        for grant, left in self.lots(whose, unit):
            part = 0 if _is_over(grant, now) else min(left, minor)
            grant.lot -= part
            minor -= part
            parts += [(grant, part)] if part else []
        return parts

    def put_back(self, parts: Iterable[tuple[Grant, int]]) -> None:
        """Into the lots it came from, but for what was taken back of them meanwhile."""
        for grant, part in parts:
            grant.lot = max(grant.lot, min(grant.lot + part, grant.takeable))

    def expire(self, now: int) -> None:
        for grant in sorted(self.known.values(), key=lambda g: g.age):
            if grant.lot and not grant.pending and _is_over(grant, now):
                whose, unit = grant.of.beneficiary, grant.of.unit or ""
                left = dict(self.lots(whose, unit))[grant]
                grant.lot = 0
                grant.expired += left
                self.move(f"{whose}:available", "cost", left, unit)


def _is_over(grant: Grant, now: int) -> bool:
    return grant.of.expires_at_ms is not None and grant.of.expires_at_ms <= now
