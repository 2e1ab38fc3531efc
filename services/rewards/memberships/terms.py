"""Terms of paid memberships: how long one lasts, what is owed back of it, and which transfers follow. Pure.

A fee is charged for a term ahead, from what the partner has available, or recorded as paid elsewhere. Terms are
calendar months of UTC, each counted from the beginning of the first, so that the day does not wander (31 January,
28 February, 31 March).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

import msgspec

from contracts.events import EPOCH, time_ms_of
from contracts.facts import TransferPosted
from contracts.money import round_half_even
from services.rewards.decode import DecisionHead
from services.rewards.legs import STAGE_FEE_CHARGED, STAGE_FEE_REFUNDED, ByHand, leg
from services.rewards.lots.spending import Part
from services.rewards.own import own_head

Per = Literal["month", "quarter", "year", "ever"]
State = Literal["active", "ended", "refunded"]
PERS: Final[tuple[Per, ...]] = get_args(Per)
MONTHS: Final[dict[Per, int]] = {"month": 1, "quarter": 3, "year": 12}
DAY_MS: Final = 86_400_000
RULE_MEMBERSHIP: Final = "membership"
BY_THE_CLOCK: Final = "clock"


class Membership(msgspec.Struct, kw_only=True, gc=False):
    """A row of `rewards.memberships`; its columns say what each field means."""

    id: str
    programme: str
    key: str
    beneficiary: str
    tier: str
    back_to: str
    per: Per
    price_minor: int
    unit: str
    decimals: int | None = None
    paid_outside: str | None = None
    renews: bool = False
    bought_at_ms: int
    bought_by: str
    term: int = 0
    from_ms: int
    until_ms: int | None
    parts: tuple[Part, ...] = ()
    state: State = "active"
    closed_at_ms: int | None = None
    closed_by: str | None = None
    reason: str | None = None
    refunded_minor: int = 0
    told: int = 0


def term_end(begun_ms: int, per: Per, term: int) -> int | None:
    """When a term ends, the first being 0; None: never."""
    if per == "ever":
        return None
    begun: datetime = EPOCH + timedelta(milliseconds=begun_ms)
    month = begun.month - 1 + MONTHS[per] * (term + 1)
    year, month = begun.year + month // 12, month % 12 + 1
    return time_ms_of(begun.replace(year=year, month=month, day=min(begun.day, monthrange(year, month)[1])))


def unused_minor(membership: Membership, at_ms: int) -> int:
    """What is owed back of the term's fee: by whole days that have not begun; nothing of one that never ends."""
    if membership.until_ms is None or not membership.from_ms <= at_ms < membership.until_ms:
        return 0
    days = -(-(membership.until_ms - membership.from_ms) // DAY_MS)
    # The day that has begun is used.
    used = min(days, (at_ms - membership.from_ms) // DAY_MS + 1)
    return round_half_even(membership.price_minor * (days - used), days)


def newest_parts(parts: Sequence[Part], amount_minor: int) -> tuple[Part, ...]:
    """Of what a fee took from lots, oldest first: what comes back first of it, the longest lasting."""
    back, rest_minor = [], amount_minor
    for part in reversed(parts):
        minor = min(part.minor, rest_minor)
        if minor:
            back.append(Part(part.decision, minor))
        rest_minor -= minor
    return tuple(reversed(back))


def head_of(membership: Membership) -> DecisionHead:
    """The head of all its transfers; its id is the membership's."""
    return own_head(
        RULE_MEMBERSHIP,
        f"{membership.programme}/{membership.key}",
        programme=membership.programme,
        beneficiary=membership.beneficiary,
        unit=membership.unit,
        at_ms=membership.bought_at_ms,
        decimals=membership.decimals,
    )


def payer_of(membership: Membership) -> str:
    """Where fees come from, and go back to."""
    if membership.paid_outside is not None:
        return f"programme:{membership.programme}:paid-outside"
    return f"{membership.beneficiary}:available"


def fees_account(programme: str) -> str:
    return f"programme:{programme}:membership-fees"


def charge(membership: Membership, *, at_ms: int, by: str) -> TransferPosted:
    """The fee of its present term."""
    reason = f"{membership.tier} per {membership.per}"
    if membership.paid_outside is not None:
        reason += f", paid elsewhere: {membership.paid_outside}"
    return leg(
        head_of(membership),
        STAGE_FEE_CHARGED,
        payer_of(membership),
        fees_account(membership.programme),
        membership.price_minor,
        posted_at_ms=at_ms,
        part=membership.term,
        by_hand=ByHand(reason, by),
        news_at_ms=at_ms,
    )


def renew(membership: Membership, *, at_ms: int, parts: tuple[Part, ...]) -> TransferPosted:
    """Begin the next term where this one ends, and charge it."""
    assert membership.until_ms is not None, "what never ends is not renewed"
    membership.term += 1
    membership.from_ms = membership.until_ms
    membership.until_ms = term_end(membership.bought_at_ms, membership.per, membership.term)
    membership.parts = parts
    return charge(membership, at_ms=at_ms, by=BY_THE_CLOCK)


def end(membership: Membership, *, at_ms: int, reason: str) -> None:
    """Its time is over."""
    membership.state, membership.closed_at_ms = "ended", at_ms
    membership.closed_by, membership.reason = BY_THE_CLOCK, reason


def refund(membership: Membership, *, at_ms: int, by: str, reason: str, refunded_minor: int) -> list[TransferPosted]:
    """End it before its time, and give back so much of the fee."""
    membership.state, membership.closed_at_ms = "refunded", at_ms
    membership.closed_by, membership.reason, membership.refunded_minor = by, reason, refunded_minor
    if not refunded_minor:
        return []
    return [
        leg(
            head_of(membership),
            STAGE_FEE_REFUNDED,
            fees_account(membership.programme),
            payer_of(membership),
            refunded_minor,
            posted_at_ms=at_ms,
            part=membership.term,
            by_hand=ByHand(reason, by),
            news_at_ms=at_ms,
        )
    ]


def tier_afterwards(membership: Membership, stands_in: str | None) -> str:
    """Which tier to tell the rules when it ends.

    Whoever stands in another tier than the one they paid for was moved there by metrics or by hand, and stays there
    until the rules say otherwise; everybody else goes back to where they were.
    """
    return membership.back_to if stands_in is None or stands_in == membership.tier else stands_in
