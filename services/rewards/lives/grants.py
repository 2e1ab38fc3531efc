"""The legs of a grant: from cost to its hold, and from there to what is available. Pure."""

from __future__ import annotations

from contracts.facts import TransferPosted
from services.rewards.decode import DecisionHead
from services.rewards.legs import STAGE_GRANTED, STAGE_RELEASED, ByHand, leg
from services.rewards.postings import Careful


def is_past(head: DecisionHead, at_ms: int) -> bool:
    """Whether nothing but a hold is special about this grant, and the hold is over: imported history, mostly."""
    return (
        head.available_at_ms is not None
        and head.available_at_ms <= at_ms
        and head.takes_back is None
        and head.expires_at_ms is None
        and not head.budgets
        and (head.amount_minor or 0) > 0
    )


def past_legs(one: Careful, at_ms: int) -> tuple[TransferPosted, TransferPosted]:
    """Granted and released in one posting; the same legs as `moves.grant` makes of it."""
    head = one.decision
    granted = granted_leg(head, one.traceparent, at_ms=at_ms)
    amount_minor = granted.amount_minor
    return granted, released_leg(head, one.traceparent, amount_minor, at_ms=at_ms, group=granted.id)


def granted_leg(
    head: DecisionHead,
    traceparent: str,
    *,
    at_ms: int,
    news_at_ms: int | None = None,
    by_hand: ByHand | None = None,
) -> TransferPosted:
    """From cost to what is on hold, or to what is available where there is no hold."""
    place = "available" if head.available_at_ms is None else "pending"
    return leg(
        head,
        STAGE_GRANTED,
        f"programme:{head.programme}:cost",
        f"{head.beneficiary}:{place}",
        head.amount_minor or 0,
        posted_at_ms=at_ms,
        traceparent=traceparent,
        news_at_ms=news_at_ms,
        by_hand=by_hand,
    )


def released_leg(
    head: DecisionHead,
    traceparent: str,
    amount_minor: int,
    *,
    at_ms: int,
    part: int = 0,
    group: str | None = None,
    by_hand: ByHand | None = None,
) -> TransferPosted:
    """From what is on hold to what is available; news since the hold's end, unless a person let go of it."""
    return leg(
        head,
        STAGE_RELEASED,
        f"{head.beneficiary}:pending",
        f"{head.beneficiary}:available",
        amount_minor,
        posted_at_ms=at_ms,
        traceparent=traceparent,
        group=group,
        part=part,
        news_at_ms=at_ms if by_hand else head.available_at_ms,
        by_hand=by_hand,
    )
