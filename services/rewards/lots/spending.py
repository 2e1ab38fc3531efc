"""What of an account can be spent now, which lots that comes out of, and what happens when it comes back. Pure.

Most spending says no word about lots (`oldest_first.py`): it lowers what is there, so the oldest are used up first.
What is only reserved may come back, though, and then it must have the date that it had. So it is taken out of its lots,
the oldest first, and put back into them; where the date has passed meanwhile, the clock takes it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.rewards.lives.life import Life


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


def take_oldest(purse: Purse, amount_minor: int, lots: Mapping[str, Life]) -> tuple[Part, ...]:
    """Take an amount out of lots, the oldest first, and tell what of which; what no lot has to give has no date."""
    taken, rest_minor = [], amount_minor
    for part in purse.parts:
        minor = min(part.minor, rest_minor)
        if minor:
            lots[part.decision].lot_minor -= minor
            taken.append(Part(part.decision, minor))
        rest_minor -= minor
    return tuple(taken)


def put_back(parts: Sequence[Part], lives: Mapping[str, Life]) -> list[Life]:
    """Put back into lots what was taken out, but for what was taken back of them meanwhile; returns those that changed.

    One whose date has passed is closed again by the clock, as it was the first time.
    """
    changed = []
    for part in parts:
        life = lives[part.decision]
        lot_minor = min(life.lot_minor + part.minor, life.takeable_minor)
        if lot_minor > life.lot_minor:
            life.lot_minor = lot_minor
            changed.append(life)
    return changed
