"""Lots: what was granted and expires. The oldest is spent first, and what is left of it at its date goes back. Pure.

Nothing says which lot a spending took from, so nothing can be wrong about it: what an account holds, less what its
later lots hold, is what is left of the older ones. Debts (an account below what its lots hold) come out of the oldest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from contracts.facts import RewardNotice, TransferPosted
from contracts.ids import transfer_id
from services.rewards.decode import decode_head
from services.rewards.legs import STAGE_EXPIRED, leg
from services.rewards.lives.life import Life

NOTICE_EXPIRING: Final = "expiring"


class Place(NamedTuple):
    """Whose, and of what."""

    beneficiary: str
    unit: str


def place_of(life: Life) -> Place:
    return Place(life.beneficiary, life.unit)


def left_of(lots: Sequence[Life], available: Mapping[Place, int], later: Mapping[Place, int]) -> list[int]:
    """What is left of each lot.

    Args:
        lots: The oldest first.
        available: What each place has available.
        later: What all other lots hold together.
    """
    others: dict[Place, int] = defaultdict(int, later)
    for lot in lots:
        others[place_of(lot)] += lot.lot_minor
    rest = dict(available)
    found = []
    for lot in lots:
        place = place_of(lot)
        others[place] -= lot.lot_minor
        left_minor = min(lot.lot_minor, max(0, rest.get(place, 0) - others[place]))
        rest[place] = rest.get(place, 0) - left_minor
        found.append(left_minor)
    return found


def expire(lot: Life, left_minor: int, *, at_ms: int) -> list[TransferPosted]:
    """Close a lot: what is left of it goes back to the cost of its programme; nothing where all was spent."""
    lot.lot_minor = 0
    if left_minor == 0:
        return []
    lot.expired_minor += left_minor
    lot.legs += 1
    head = decode_head(lot.head or "")
    return [
        leg(
            head,
            STAGE_EXPIRED,
            f"{lot.beneficiary}:available",
            f"programme:{head.programme}:cost",
            left_minor,
            posted_at_ms=at_ms,
            traceparent=lot.traceparent,
            part=lot.legs - 1,
            news_at_ms=lot.expires_at_ms,
        )
    ]


def announce(lots: Sequence[Life], lefts: Sequence[int], *, at_ms: int) -> list[RewardNotice]:
    """Tell each place once what it is about to lose, and when the first of it; all of these lots are told then."""
    by_place: dict[Place, list[tuple[Life, int]]] = {}
    for lot, left_minor in zip(lots, lefts, strict=True):
        lot.is_announced = True
        if left_minor:
            by_place.setdefault(place_of(lot), []).append((lot, left_minor))
    notices = []
    for place, told in by_place.items():
        first = told[0][0]
        head = decode_head(first.head or "")
        notices.append(
            RewardNotice(
                id=transfer_id(first.decision, NOTICE_EXPIRING),
                notice=NOTICE_EXPIRING,
                decision=first.decision,
                programme=head.programme,
                rule=head.rule,
                partner=head.partner,
                beneficiary=place.beneficiary,
                amount_minor=sum(left_minor for _, left_minor in told),
                unit=place.unit,
                time_ms=at_ms,
                posted_at_ms=at_ms,
                decimals=head.decimals,
                expires_at_ms=first.expires_at_ms,
            )
        )
    return notices
