"""Which events a back-test counts: those of whole local days, named by their local months."""

from __future__ import annotations

from typing import Final

from services.rules.clock.calendar import DAY_MS, Zone, date_of

TIMES_REMEMBERED_MAX: Final = 100_000


class Window:
    """From a local day to a local day, both inclusive; None is without that end.

    `first_ms` is where the first day begins, `end_ms` where the last one has ended.
    """

    def __init__(self, timezone: str, first_day: int | None = None, last_day: int | None = None) -> None:
        self._zone = Zone(timezone)
        self._months: dict[int, str | None] = {}
        self.first_day = first_day
        self.last_day = last_day
        self.first_ms = None if first_day is None else self._start_of(first_day)
        self.end_ms = None if last_day is None else self._start_of(last_day + 1)

    def month_of(self, time_ms: int) -> str | None:
        """The local month, `2026-03`; None for an instant outside."""
        day = self._zone.day_of(time_ms)
        try:
            return self._months[day]
        except KeyError:
            return self._learn(day)

    def _learn(self, day: int) -> str | None:
        is_outside = (self.first_day is not None and day < self.first_day) or (
            self.last_day is not None and day > self.last_day
        )
        if len(self._months) >= TIMES_REMEMBERED_MAX:
            self._months.clear()
        month = self._months[day] = None if is_outside else date_of(day).isoformat()[:7]
        return month

    def _start_of(self, day: int) -> int:
        """The first instant of a local day: midnight, or where the clock was set over it, what comes in its place."""
        low, high = (day - 2) * DAY_MS, (day + 2) * DAY_MS
        while high - low > 1:
            middle = (low + high) // 2
            if self._zone.day_of(middle) < day:
                low = middle
            else:
                high = middle
        return high
