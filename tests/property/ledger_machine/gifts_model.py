"""Gifts as they should go: proposed, then granted by somebody else out of a budget, or rejected. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass

from tests.property.ledger_machine.lives_model import Lives

ONE, PERSON_YEAR = 90, 150
"""The most of one gift, and of all gifts to one person within 365 days."""
YEAR_MS = 365 * 86_400_000


@dataclass
class Given:
    """What was proposed under a key."""

    whose: str
    minor: int
    budget: str
    by: str
    state: str = "proposed"
    decided: int = 0
    id: str = ""


class GiftsModel:
    """Of one programme, by key."""

    def __init__(self, books: Lives) -> None:
        self.books = books
        self.made: dict[str, Given] = {}

    def propose(self, key: str, gift: Given, now: int) -> set[str]:
        """Why not; nothing when it was done, now or before under this key."""
        if key in self.made:
            before = self.made[key]
            wish = (gift.whose, gift.minor, gift.budget)
            return set() if (before.whose, before.minor, before.budget) == wish else {"key-reused"}
        if reasons := self.over_limit(gift, now):
            return reasons
        self.made[key] = gift
        return set()

    def over_limit(self, gift: Given, now: int) -> set[str]:
        had = sum(
            one.minor
            for one in self.made.values()
            if (one.whose, one.state) == (gift.whose, "granted") and one.decided > now - YEAR_MS
        )
        reasons = {"gift-over-limit": gift.minor > ONE, "gift-person-limit": had + gift.minor > PERSON_YEAR}
        return {code for code, holds in reasons.items() if holds}

    def approve(self, gift: Given, by: str, now: int) -> set[str]:
        """Why not; one that cannot be borne now stays proposed."""
        if gift.state == "granted":
            return set()
        if gift.state == "rejected":
            return {"gift-decided"}
        reasons = self.over_limit(gift, now)
        if by.strip().casefold() == gift.by:
            reasons.add("same-person")
        if gift.budget not in self.books.budgets:
            reasons.add("no-such-budget")
        elif self.books.budgets[gift.budget] < gift.minor:
            reasons.add("budget-spent")
        if gift.budget == "b" and self.books.queue:
            reasons.add("budget-waited-for")
        if not reasons:
            gift.state, gift.decided = "granted", now
            self.books.move("cost", f"{gift.whose}:available", gift.minor)
            self.books.claim(gift.budget, gift.minor)
        return reasons

    def reject(self, gift: Given) -> bool:
        if gift.state == "proposed":
            gift.state = "rejected"
        return gift.state == "rejected"
