"""Durations, windows and periods, by Python's own calendar."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

REVIEWS = {"monthly": "month", "quarterly": "quarter", "yearly": "year"}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Duration(NamedTuple):
    days: int
    months: int

    def before(self, day: date) -> date:
        return months_before(day, self.months) if self.months else day - timedelta(days=self.days)

    def after(self, day: date) -> date:
        return months_before(day, -self.months) if self.months else day + timedelta(days=self.days)


def duration(text: str) -> Duration:
    number, unit = re.fullmatch(r"(\d+) (day|month|year)s?", text).groups()  # type: ignore[union-attr] # files of ours
    return Duration(int(number), 0) if unit == "day" else Duration(0, int(number) * _MONTHS[unit])


def months_before(day: date, months: int) -> date:
    """The same day so many months before, or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def period_start(day: date, period: str) -> date:
    months = _MONTHS[period]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def window_start(window: str | None, last: date) -> date:
    """The first day of a metric's window that ends on `last`."""
    if window is None:
        return date.min
    if window.startswith("this "):
        return period_start(last, window.removeprefix("this "))
    span = duration(window)
    return span.before(last) + timedelta(days=1)


def reviews_between(clock: date, day: date, period: str) -> Iterator[date]:
    """The review dates after one day, up to and with another."""
    review = months_before(period_start(clock, period), -_MONTHS[period])
    while review <= day:
        yield review
        review = months_before(review, -_MONTHS[period])
