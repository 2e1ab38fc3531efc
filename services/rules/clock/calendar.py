"""Local days of a timezone: exact, and cheap enough for every event.

A day is a number: days since 1970-01-01 on the local calendar. Which day an instant falls on is remembered for blocks
of three hours, and around midnight for quarters of an hour; a span in which the clock was set or the day changes is
never remembered, so odd historical offsets stay right. Months are counted on the calendar and clipped
to the month's end: one month before 31 March is 28 or 29 February (docs/rules.md#windows).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from contracts.ruleset import Duration, Window

DAY_MS: Final = 86_400_000
QUARTER_MS: Final = 900_000
BLOCK_MS: Final = 12 * QUARTER_MS
SPANS_REMEMBERED_MAX: Final = 100_000
DAYS_REMEMBERED_MAX: Final = 50_000
Per = Literal["month", "quarter", "year", "customer", "ever"]
"""What a limit or budget is counted for; the last two have no end."""
LIFETIME: Final = -(2**31)
"""The first day of a window without a beginning; fits the 32 bits that days are stored in."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_FIRST_DAY: Final = date.min.toordinal() - _EPOCH_ORDINAL
LAST_DAY: Final = date.max.toordinal() - _EPOCH_ORDINAL
_MILLISECOND: Final = timedelta(milliseconds=1)
# Two days inside of the calendar's ends, so that no offset leads out of it: an event may carry any time.
_FIRST_MS: Final = (_FIRST_DAY + 2) * DAY_MS
_LAST_MS: Final = (date.max.toordinal() - _EPOCH_ORDINAL - 2) * DAY_MS


class Zone:
    """The local days of one timezone."""

    __slots__ = ("_quarters", "_zone", "blocks")

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self.blocks: dict[int, int] = {}
        self._quarters: dict[int, int] = {}

    def day_of(self, time_ms: int) -> int:
        """The local day, since 1970-01-01, that the instant falls on."""
        day = self.blocks.get(time_ms // BLOCK_MS)
        return self.learn(time_ms) if day is None else day

    def learn(self, time_ms: int) -> int:
        day = self._quarters.get(time_ms // QUARTER_MS)
        if day is not None:
            return day
        for span_ms, known in ((BLOCK_MS, self.blocks), (QUARTER_MS, self._quarters)):
            first_ms = time_ms - time_ms % span_ms
            first, last = self._local(first_ms), self._local(first_ms + span_ms - 1)
            # With one offset at both ends no clock was set in between, so the day at both ends is the day throughout.
            if first.utcoffset() == last.utcoffset() and first.date() == last.date():
                if len(known) >= SPANS_REMEMBERED_MAX:
                    known.clear()
                day = known[time_ms // span_ms] = day_of_date(first)
                return day
        return day_of_date(self._local(time_ms))

    def start_ms(self, day: int) -> int:
        """The first instant of the local day; of a day that begins in a gap of the clock, the end of the gap."""
        # Of a midnight that the clock shows twice the first one, and a skipped one counts on from before (PEP 495).
        midnight = datetime.combine(date_of(min(max(day, _FIRST_DAY + 2), LAST_DAY - 2)), time(), self._zone)
        return (midnight - _EPOCH) // _MILLISECOND

    def _local(self, time_ms: int) -> datetime:
        within_ms = min(max(time_ms, _FIRST_MS), _LAST_MS)
        return (_EPOCH + timedelta(milliseconds=within_ms)).astimezone(self._zone)


def date_of(day: int) -> date:
    return date.fromordinal(day + _EPOCH_ORDINAL)


def day_of_date(on: date) -> int:
    return on.toordinal() - _EPOCH_ORDINAL


def months_before(day: int, months: int) -> int:
    """The day that many months earlier, clipped to the end of its month; never before year 1 or after year 9999."""
    on = date_of(day)
    months_since_zero = on.year * 12 + on.month - 1 - months
    year, month = divmod(months_since_zero, 12)
    if not 1 <= year <= date.max.year:
        return _FIRST_DAY if year < 1 else LAST_DAY
    return day_of_date(date(year, month + 1, min(on.day, monthrange(year, month + 1)[1])))


def earlier(day: int, duration: Duration) -> int:
    """The day that much earlier; a duration of both counts the months first."""
    return (months_before(day, duration.months) if duration.months else day) - duration.days


def later(day: int, duration: Duration) -> int:
    """The day that much later: one month after 31 January is 28 or 29 February."""
    return min((months_before(day, -duration.months) if duration.months else day) + duration.days, LAST_DAY)


def period_text(per: Per, first_day: int) -> str:
    """The local period that begins on this day, as `2026`, `2026-Q1`, `2026-03`; empty for one without end."""
    if per in ("customer", "ever"):
        return ""
    on = date_of(first_day)
    if per == "month":
        return f"{on.year:04}-{on.month:02}"
    return f"{on.year:04}" if per == "year" else f"{on.year:04}-Q{(on.month + 2) // 3}"


def period_start(per: Per) -> WindowStart | None:
    """From a day to the first one of its local period; None for one without end."""
    if per == "customer" or per == "ever":  # noqa: PLR1714 - narrows the type
        return None
    return WindowStart(Window(this=per))


class WindowStart(dict[int, int]):
    """From the last day of a window to its first one; fills itself."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._first_day = _first_day_of(window)

    def __missing__(self, day: int) -> int:
        if len(self) >= DAYS_REMEMBERED_MAX:
            self.clear()
        first = self[day] = self._first_day(day)
        return first


def _first_day_of(window: Window) -> Callable[[int], int]:
    duration = window.duration
    if duration is not None:
        days, months = duration.days, duration.months
        if months:
            # The days after (D minus N months); a duration of both counts the months first.
            return lambda day: months_before(day, months) - days + 1
        return lambda day: day - days + 1
    if window.this == "month":
        return lambda day: day_of_date(date_of(day).replace(day=1))
    if window.this == "quarter":
        return lambda day: day_of_date(_quarter_start(date_of(day)))
    if window.this == "year":
        return lambda day: day_of_date(date_of(day).replace(month=1, day=1))
    return lambda day: LIFETIME


def _quarter_start(on: date) -> date:
    return on.replace(month=(on.month - 1) // 3 * 3 + 1, day=1)
