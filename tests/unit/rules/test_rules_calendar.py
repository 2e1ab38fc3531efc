"""Local days and windows: where a clock is set, where a month is short, and at a year's end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import parse_time_ms
from contracts.ruleset import Duration, Window
from services.rules.clock.calendar import WindowStart, Zone, date_of, day_of_date, months_before


@pytest.mark.parametrize(
    ("zone", "time", "day"),
    [
        ("UTC", "2024-02-29T23:59:59.999Z", "2024-02-29"),
        ("UTC", "2024-03-01T00:00:00Z", "2024-03-01"),
        ("America/New_York", "2026-03-08T04:59:59Z", "2026-03-07"),  # the night the clock goes forward
        ("America/New_York", "2026-03-08T05:00:00Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T03:59:59Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T04:00:00Z", "2026-03-09"),
        ("America/New_York", "2026-11-02T04:59:59Z", "2026-11-01"),  # and back
        ("Asia/Kathmandu", "2026-01-01T18:14:59Z", "2026-01-01"),  # an offset of a quarter
        ("Asia/Kathmandu", "2026-01-01T18:15:00Z", "2026-01-02"),
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29"),  # a day that never was
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),
        ("America/St_Johns", "2006-10-29T02:30:30Z", "2006-10-29"),  # a minute of tomorrow, then today again
        ("America/St_Johns", "2006-10-29T02:31:30Z", "2006-10-28"),
        ("UTC", "1969-12-31T23:59:59Z", "1969-12-31"),
    ],
)
def test_an_instant_falls_on_its_local_day(zone: str, time: str, day: str) -> None:
    assert date_of(Zone(zone).day_of(parse_time_ms(time))) == date.fromisoformat(day)


@given(
    name=st.sampled_from(("America/New_York", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Africa/Monrovia")),
    times=st.lists(st.integers(-(10**12), 4 * 10**12), max_size=30),
)
def test_what_is_remembered_of_days_is_what_the_calendar_says(name: str, times: list[int]) -> None:
    zone = Zone(name)
    for time_ms in times:
        for near in (time_ms, time_ms + 1, time_ms - 900_000, time_ms + 3_600_000):
            local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=near)).astimezone(ZoneInfo(name))
            assert date_of(zone.day_of(near)) == local.date()


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        ("2026-03-31", 1, "2026-02-28"),
        ("2024-03-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2023-02-28"),
        ("2026-01-31", 2, "2025-11-30"),
        ("2026-01-15", 12, "2025-01-15"),
        ("2026-12-31", 1, "2026-11-30"),
    ],
)
def test_months_are_clipped_to_their_end(day: str, months: int, before: str) -> None:
    assert date_of(months_before(day_of_date(date.fromisoformat(day)), months)) == date.fromisoformat(before)


def test_no_duration_reaches_before_the_calendar() -> None:
    assert date_of(months_before(day_of_date(date(3, 1, 1)), 1_200)) == date.min


@pytest.mark.parametrize(
    ("window", "first"),
    [
        (Window(Duration(days=1)), "2026-05-31"),
        (Window(Duration(days=30)), "2026-05-02"),
        (Window(Duration(months=1)), "2026-05-01"),
        (Window(Duration(months=12)), "2025-06-01"),
        (Window(this="month"), "2026-05-01"),
        (Window(this="quarter"), "2026-04-01"),
        (Window(this="year"), "2026-01-01"),
    ],
)
def test_a_window_begins_on_its_first_day(window: Window, first: str) -> None:
    assert date_of(WindowStart(window)[day_of_date(date(2026, 5, 31))]) == date.fromisoformat(first)
