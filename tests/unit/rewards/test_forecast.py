"""What is owed by month, and what experience expects to expire unused."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

from services.rewards.faults import TIME_MS_MAX
from services.rewards.liability.forecast import DAY_MS, LOTS_MIN, Forecast, Hold, Holding, Line, Lot, without_months
from services.rewards.liability.months import month_in
from services.rewards.lives.life import Life

NOW_MS = 1_000 * DAY_MS
ANN = ("partner:ann", "POINTS")


def life(number: int, minor: int) -> Life:
    return Life(
        decision=f"{number:03}",
        state="posted",
        beneficiary="partner:ann",
        unit="POINTS",
        granted_minor=minor,
        lot_minor=minor,
        expires_at_ms=number,
    )


def month_of(programme: str, at_ms: int) -> str:
    return str(at_ms // DAY_MS)


def lot(expires_day: int, granted: int, *, pending: int = 0, expired: int = 0, valid_days: int = 360) -> Lot:
    return Lot(*ANN, "p", (expires_day - valid_days) * DAY_MS, expires_day * DAY_MS, granted, pending, expired)


def told(forecast: Forecast) -> list[tuple[str, str, int, int | None]]:
    return [(line.kind, line.month, line.minor, line.expected_expiry_minor) for line in forecast.lines()]


def test_the_oldest_is_spent_first_and_the_rest_has_its_month() -> None:
    forecast = Forecast(month_of, at_ms=NOW_MS)
    forecast.add_holds([Hold("p", "POINTS", 1_010 * DAY_MS, 40), Hold("p", "POINTS", None, 1)])
    # 100 + 100 were granted with a date, 30 of the later on hold, 50 without; 120 were spent.
    forecast.add(
        [Holding(*ANN, "available", "p", 100), Holding(*ANN, "reserved", "p", 7), Holding(*ANN, "payout", "p", 3)],
        [lot(1_100, 100), lot(1_200, 100, pending=30)],
    )
    assert told(forecast) == [
        ("reserved", "", 7, None),
        ("in_payout", "", 3, None),
        ("expiring", "1100", 30, None),
        ("expiring", "1200", 70, None),
        ("on_hold", "", 1, None),
        ("on_hold", "1010", 40, None),
    ]


def test_an_account_below_zero_stands_apart_and_has_no_lots_left() -> None:
    forecast = Forecast(month_of, at_ms=NOW_MS)
    forecast.add([Holding(*ANN, "available", "p", -30), Holding(*ANN, "available", "q", 10)], [lot(1_100, 100)])
    forecast.add([Holding("partner:bob", "POINTS", "available", "p", 5)], [])
    assert [(line.programme, line.kind, line.minor) for line in forecast.lines()] == [
        ("p", "available", 5),
        ("p", "negative", -30),
        ("q", "negative", 10),
    ]


def test_a_cohort_is_expected_to_lose_the_share_that_others_lost_and_no_more_than_is_left() -> None:
    forecast = Forecast(month_of, at_ms=NOW_MS)
    # Of 100 each, 25 expired: a quarter. Those of another validity lost all.
    forecast.add([], [lot(900, 100, expired=25) for _ in range(LOTS_MIN)])
    forecast.add([], [lot(900, 10, expired=10, valid_days=90) for _ in range(LOTS_MIN)])
    forecast.add(
        [Holding(*ANN, "available", "p", 250)], [lot(1_100, 200), lot(1_200, 200), lot(1_250, 40, valid_days=90)]
    )
    # Of the first 10 are left, which is less than a quarter of 200.
    assert told(forecast) == [
        ("expiring", "1100", 10, 10),
        ("expiring", "1200", 200, 50),
        ("expiring", "1250", 40, 40),
    ]
    assert [(each.validity_months, each.lots, each.expired_share_ppm) for each in forecast.experience()] == [
        (3, LOTS_MIN, 1_000_000),
        (12, LOTS_MIN, 250_000),
    ]


def test_too_few_of_a_validity_rest_on_all_of_the_unit_and_too_few_of_all_on_nothing() -> None:
    forecast = Forecast(month_of, at_ms=NOW_MS)
    forecast.add([], [lot(900, 100, expired=50) for _ in range(LOTS_MIN - 1)])
    forecast.add([Holding(*ANN, "available", "p", 100)], [lot(1_200, 100, valid_days=90)])
    assert told(forecast) == [("expiring", "1200", 100, None)]
    forecast.add([], [lot(900, 100, expired=50)])
    assert told(forecast) == [("expiring", "1200", 100, 50)]


def test_a_month_is_local_and_the_calendar_has_an_end() -> None:
    new_york = ZoneInfo("America/New_York")
    assert (month_in(UTC, 1_775_001_600_000), month_in(new_york, 1_775_001_600_000)) == ("2026-04", "2026-03")
    assert month_in(ZoneInfo("Asia/Tokyo"), TIME_MS_MAX) == "9999-12"


def test_without_months_kinds_are_added_up() -> None:
    lines = [
        Line(programme="p", unit="POINTS", kind="expiring", month=month, minor=10, expected_expiry_minor=expected)
        for month, expected in (("2026-01", 4), ("2026-02", 3))
    ]
    (line,) = without_months(lines)
    assert (line.month, line.minor, line.expected_expiry_minor) == ("", 20, 7)
