"""A gift as everybody is shown it. Pure."""

from __future__ import annotations

from typing_extensions import TypedDict

from contracts.events import format_time
from services.rewards.gifts.giving import Gift, State


class GiftLine(TypedDict):
    """The amount is in minor units; `period` is empty of a budget without periods."""

    id: str
    programme: str
    key: str
    beneficiary: str
    budget: str
    period: str
    minor: int
    unit: str
    reason: str
    proposed_by: str
    proposed_at: str
    state: State
    decided_by: str | None
    decided_at: str | None
    decided_because: str | None


def gift_line(one: Gift) -> GiftLine:
    return GiftLine(
        id=one.id,
        programme=one.programme,
        key=one.key,
        beneficiary=one.beneficiary,
        budget=one.budget,
        period=one.period,
        minor=one.amount_minor,
        unit=one.unit,
        reason=one.reason,
        proposed_by=one.proposed_by,
        proposed_at=format_time(one.proposed_at_ms),
        state=one.state,
        decided_by=one.decided_by,
        decided_at=None if one.decided_at_ms is None else format_time(one.decided_at_ms),
        decided_because=one.decided_because,
    )
