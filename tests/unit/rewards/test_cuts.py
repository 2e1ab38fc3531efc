"""Instants as people write them, and what lies before them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.errors import PermanentError
from services.rewards.asof.cuts import By, Cut, Period, cut_of, period_of

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("as_of", "until"),
    [
        ("2026-03-31", APRIL),
        ("2026-04-01T00:00:00Z", APRIL + TICK),
        ("2026-04-01T02:00:00+02:00", APRIL + TICK),
        ("2026-03-31T23:59:59.999999Z", APRIL),
    ],
)
def test_as_of_an_instant_counts_it_and_as_of_a_date_counts_all_of_its_day(as_of: str, until: datetime) -> None:
    assert cut_of(as_of) == Cut(By.EFFECTIVE, until)
    assert cut_of(as_of, By.BOOKED) == period_of(as_of=as_of, by=By.BOOKED).closing == Cut(By.BOOKED, until)


@pytest.mark.parametrize(
    ("since", "until", "period"),
    [
        (None, None, Period(By.BOOKED)),
        ("2026-03-01", None, Period(By.EFFECTIVE, MARCH)),
        ("2026-03-01", "2026-03-31", Period(By.EFFECTIVE, MARCH, APRIL)),
        ("2026-03-01", "2026-04-01T00:00:00Z", Period(By.EFFECTIVE, MARCH, APRIL)),
        ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z", Period(By.EFFECTIVE, APRIL, APRIL)),
    ],
)
def test_periods_follow_each_other_without_a_gap(since: str | None, until: str | None, period: Period) -> None:
    assert period_of(since, until) == period


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"as_of": "yesterday"}, "instant-malformed"),
        ({"as_of": ""}, "instant-malformed"),
        ({"as_of": "2026-03-31T18:00:00"}, "instant-malformed"),
        ({"as_of": "9999-12-31"}, "instant-malformed"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "instant-malformed"),
        ({"until": "2026-02-30"}, "instant-malformed"),
        ({"since": "2026-04-01", "until": "2026-03-01"}, "period-malformed"),
        ({"until": "2026-04-01", "as_of": "2026-03-01"}, "period-malformed"),
    ],
)
def test_what_is_no_instant_is_refused(options: dict[str, Any], code: str) -> None:
    with pytest.raises(PermanentError) as refused:
        period_of(**options)
    assert refused.value.problem.code == code
