"""A redemption as everybody is shown it: all fields but codes, which are masked, and revealed one by one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typing_extensions import TypedDict

from contracts.events import format_time
from services.rewards.redemptions.deciding import Redemption, State

ENDING_MAX: Final = 4
"""Characters of a code that anybody may see."""


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


class RevealLine(TypedDict):
    """Who was shown its codes, and when."""

    by: str
    at: str


class RedemptionInFull(RedemptionLine):
    """`codes` are what it handed out, each but for its end; `revealed` is who was shown them whole."""

    codes: list[str]
    revealed: list[RevealLine]


def masked(code: str) -> str:
    """Enough of a code to tell it from others, and too little to use it: its end, and never more than a third."""
    return f"…{code[len(code) - min(ENDING_MAX, len(code) // 3) :]}"


def redemption_in_full(one: Redemption, codes: Sequence[str], revealed: Sequence[RevealLine]) -> RedemptionInFull:
    return RedemptionInFull(**redemption_line(one), codes=[masked(code) for code in codes], revealed=list(revealed))


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
