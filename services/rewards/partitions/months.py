"""Which months a batch falls into, and which are to be made ahead. Pure.

A transfer's id begins with the time of its event, so the month of the event is a range of ids: the partitions of
`rewards.transfers` are such ranges, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

DAY_MS: Final = 86_400_000
MONTHS_AHEAD: Final = 3
"""With the current one: a service that housekeeps once a day is never late."""


def days_of(times_ms: Iterable[int]) -> set[int]:
    """Days since 1970; far fewer than times, and what is remembered between batches."""
    return {time_ms // DAY_MS for time_ms in times_ms}


def months_of(days: Iterable[int]) -> list[date]:
    """The first days of their months, in order; what no calendar has is left out, and lies outside of all months."""
    return sorted({_first(day) for day in days if 0 <= day <= _LAST_DAY})


def months_ahead(now_ms: int) -> list[date]:
    """The current month and those that follow it."""
    first = _first(now_ms // DAY_MS)
    numbers = [first.year * 12 + first.month - 1 + ahead for ahead in range(MONTHS_AHEAD)]
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]


_LAST_DAY: Final = (date(9999, 12, 31) - date(1970, 1, 1)).days


def _first(day: int) -> date:
    return datetime.fromtimestamp(day * 86_400, UTC).date().replace(day=1)
