"""What of an account can be spent now, which lots that would come out of, and what happens when it comes back. Pure.

Spending needs no word about lots (`oldest_first.py`): it lowers what is there, so the oldest are used up first. What
was only reserved may come back, though, and then what belonged to a lot whose date has passed must not outlive it: so
a reservation remembers what it took from which lot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.rewards.lives.outcomes import Life


class Part(NamedTuple):
    """So much of a lot, which is named by the decision that granted it."""

    decision: str
    minor: int


class Purse(NamedTuple):
    """What can be spent.

    Attributes:
        spendable_minor: What is available, without what has expired and is only not taken away yet.
        parts: What is left of each lot that has not expired, the oldest first.
    """

    spendable_minor: int
    parts: tuple[Part, ...]


def purse_of(available_minor: int, lots: Sequence[Life], lefts: Sequence[int], *, now_ms: int) -> Purse:
    """What can be spent at a moment.

    Args:
        available_minor: The balance; below zero of a debt.
        lots: Of this account, the oldest first.
        lefts: What is left of each (`oldest_first.left_of`).
        now_ms: The moment.
    """
    overdue_minor, parts = 0, []
    for lot, left_minor in zip(lots, lefts, strict=True):
        if lot.expires_at_ms is not None and lot.expires_at_ms <= now_ms:
            overdue_minor += left_minor
        elif left_minor:
            parts.append(Part(lot.decision, left_minor))
    return Purse(max(0, available_minor - overdue_minor), tuple(parts))


def take_oldest(purse: Purse, amount_minor: int) -> tuple[Part, ...]:
    """What an amount comes out of, the oldest first; what no lot has to give has no date."""
    taken, rest_minor = [], amount_minor
    for part in purse.parts:
        minor = min(part.minor, rest_minor)
        if minor:
            taken.append(Part(part.decision, minor))
        rest_minor -= minor
    return tuple(taken)


def put_back(parts: Sequence[Part], lives: Mapping[str, Life]) -> list[Life]:
    """Open lots again for what comes back to them; returns those that changed.

    A lot that is still open holds what was reserved of it all the time, so nothing changes. One that its date has
    closed holds again what came back, and the clock takes that away as it took the rest. Never more than was neither
    taken back nor expired.
    """
    changed = []
    for part in parts:
        life = lives[part.decision]
        lot_minor = min(life.lot_minor + part.minor, life.takeable_minor)
        if lot_minor > life.lot_minor:
            life.lot_minor = lot_minor
            changed.append(life)
    return changed
