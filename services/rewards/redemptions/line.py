"""A redemption as everybody is shown it: all fields but codes, which are revealed one by one. Pure."""

from __future__ import annotations

from typing_extensions import TypedDict

from contracts.events import format_time
from services.rewards.redemptions.deciding import Redemption, State


class RedemptionLine(TypedDict):
    """Amounts are in minor units; `parts` is what it took from which lots, named by their decisions."""

    id: str
    programme: str
    key: str
    beneficiary: str
    item: str
    kind: str
    version: int
    quantity: int
    price_minor: int
    unit: str
    gives_minor: int | None
    gives_unit: str | None
    has_codes: bool
    parts: list[tuple[str, int]]
    state: State
    reserved_at: str
    reserved_by: str
    until: str
    closed_at: str | None
    closed_by: str | None
    reason: str | None


def redemption_line(one: Redemption) -> RedemptionLine:
    return RedemptionLine(
        id=one.id,
        programme=one.programme,
        key=one.key,
        beneficiary=one.beneficiary,
        item=one.item,
        kind=one.kind,
        version=one.version,
        quantity=one.quantity,
        price_minor=one.price_minor,
        unit=one.unit,
        gives_minor=one.gives_minor,
        gives_unit=one.gives_unit,
        has_codes=one.has_codes,
        parts=[(part.decision, part.minor) for part in one.parts],
        state=one.state,
        reserved_at=format_time(one.reserved_at_ms),
        reserved_by=one.reserved_by,
        until=format_time(one.until_ms),
        closed_at=None if one.closed_at_ms is None else format_time(one.closed_at_ms),
        closed_by=one.closed_by,
        reason=one.reason,
    )
