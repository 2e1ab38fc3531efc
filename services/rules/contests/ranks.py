"""Who is before whom in a contest. Pure.

The larger number is first; of equal ones the one that was reached earlier, by the times of the events; then the
partner's id. Who has nothing, zero or less, takes no rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from contracts.decisions import DECISION_DENIED
from contracts.events import format_time
from runtime.bus.port import Received

_MARK: Final = b'"met","contest"]'
"""Stands in the trace of every decision that tells a number in a contest; most decisions have none."""
_DENIED: Final = ("ce_type", DECISION_DENIED.encode())


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's number in a contest.

    Attributes:
        value: Minor units of `unit`, a count, or an average in millionths.
        reached_ms: The newest time of an event that moved it.
    """

    programme: str
    contest: str
    partner: str
    value: int
    unit: str | None
    reached_ms: int


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's place."""

    rank: int
    partner: str
    value: int
    unit: str | None
    reached_ms: int

    def as_json(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "partner": self.partner,
            "value": self.value,
            "unit": self.unit,
            "reached_at": format_time(self.reached_ms),
        }


class _Told(msgspec.Struct, frozen=True):
    programme: str
    rule: str
    partner: str
    time_ms: int
    granted: bool
    base_minor: int | None = None
    base_unit: str | None = None
    amount_minor: int | None = None


_decode: Final = msgspec.json.Decoder(_Told).decode


def scores_in(records: Iterable[Received]) -> list[Score]:
    """The last number of each partner and contest that the decisions of one partition tell, in order."""
    scores: dict[tuple[str, str, str], Score] = {}
    for record in records:
        if _MARK not in record.value or _DENIED in record.headers:
            continue
        told = _decode(record.value)
        # What carries an amount is a prize.
        if told.base_minor is None or told.amount_minor is not None or not told.granted:
            continue
        key = told.programme, told.rule, told.partner
        before = scores.get(key)
        scores[key] = Score(
            programme=told.programme,
            contest=told.rule,
            partner=told.partner,
            value=told.base_minor,
            unit=told.base_unit,
            reached_ms=told.time_ms if before is None else max(told.time_ms, before.reached_ms),
        )
    return list(scores.values())


def ranked(scores: Sequence[Score]) -> list[Ranked]:
    """All who have something, from the first."""
    standing = sorted(
        (score for score in scores if score.value > 0), key=lambda each: (-each.value, each.reached_ms, each.partner)
    )
    return [
        Ranked(rank=rank, partner=each.partner, value=each.value, unit=each.unit, reached_ms=each.reached_ms)
        for rank, each in enumerate(standing, 1)
    ]
