"""Days and months of a journal, in UTC, and when one is closed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

By = Literal["day", "month"]

CLOSE_GRACE: Final = timedelta(minutes=15)
"""After its end, so that a posting that was begun in a period and committed after it is in it."""


def first_of(by: By, day: date) -> date:
    """The first day of the period that a day is in."""
    return day if by == "day" else day.replace(day=1)


def after(by: By, first: date) -> date:
    """The first day of the next period."""
    return first + timedelta(days=1) if by == "day" else (first.replace(day=1) + timedelta(days=32)).replace(day=1)


def name_of(by: By, first: date) -> str:
    return first.isoformat() if by == "day" else f"{first:%Y-%m}"


def is_closed(end: date, now: datetime) -> bool:
    """Whether nothing is booked any more before the beginning of that day."""
    return midnight(end) + CLOSE_GRACE <= now


def last_closed(by: By, now: datetime) -> date:
    """Before which day everything is closed."""
    day = first_of(by, (now - CLOSE_GRACE).date())
    assert is_closed(day, now)
    return day


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def periods(by: By, start: date, end: date) -> Iterator[tuple[date, date]]:
    """First days and first days after, from a first day on."""
    while start < end:
        following = after(by, start)
        yield start, following
        start = following
