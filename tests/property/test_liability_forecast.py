"""Whatever accounts hold: the lines of a forecast come to it, to the minor unit, and expectations stay within them."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from services.rewards.liability.forecast import (
    DAY_MS,
    Forecast,
    Hold,
    Holding,
    Lot,
    lefts,
    totals,
    without_months,
)
from services.rewards.lots.oldest_first import Place, left_of
from tests.unit.rewards.test_forecast import life

NOW_MS = 400 * DAY_MS
PROGRAMMES = st.sampled_from(["p", "q"])
UNITS = st.sampled_from(["POINTS", "USD"])
MINORS = st.integers(-1_000, 1_000)


@st.composite
def lots(draw: st.DrawFn, beneficiary: str, unit: str) -> Lot:
    granted_at_ms = draw(st.integers(0, 400)) * DAY_MS
    granted = draw(st.integers(0, 1_000))
    return Lot(
        beneficiary,
        unit,
        draw(PROGRAMMES),
        granted_at_ms,
        granted_at_ms + draw(st.sampled_from([30, 90, 365])) * DAY_MS,
        granted,
        draw(st.integers(0, granted)),
        draw(st.integers(0, granted)),
    )


@st.composite
def beneficiaries(draw: st.DrawFn) -> tuple[list[Holding], list[Lot]]:
    name, unit = draw(st.sampled_from(["partner:a", "partner:b", "member:c"])), draw(UNITS)
    places = st.sampled_from(["available", "reserved", "payout"])
    made = draw(st.lists(st.tuples(places, PROGRAMMES, MINORS), max_size=3))
    found = draw(st.lists(lots(name, unit), max_size=4))
    return [Holding(name, unit, *each) for each in made], sorted(found, key=lambda lot: lot.expires_at_ms)


def month_of(programme: str, at_ms: int) -> str:
    return f"{programme}-{at_ms // (30 * DAY_MS):03}"


@given(
    st.lists(beneficiaries(), max_size=4),
    st.lists(st.builds(Hold, PROGRAMMES, UNITS, st.one_of(st.none(), st.integers(0, 2 * NOW_MS)), MINORS), max_size=4),
)
def test_all_months_come_to_what_is_owed_today(
    owed: list[tuple[list[Holding], list[Lot]]], on_hold: list[Hold]
) -> None:
    forecast = Forecast(month_of, at_ms=NOW_MS)
    forecast.add_holds(on_hold)
    expected: defaultdict[str, int] = defaultdict(int)
    for hold in on_hold:
        expected[hold.unit] += hold.minor
    for holdings, found in owed:
        forecast.add(holdings, found)
        for holding in holdings:
            expected[holding.unit] += holding.minor
    lines = forecast.lines()
    told = totals(lines)
    assert {unit: told.get(unit, 0) for unit in expected} == dict(expected)
    together = totals(without_months(lines))
    assert {unit: together.get(unit, 0) for unit in expected} == dict(expected)
    for line in lines:
        if line.expected_expiry_minor is not None:
            assert 0 <= line.expected_expiry_minor <= line.minor
    assert all(each.expired_share_ppm >= 0 for each in forecast.experience())


@given(st.integers(-500, 3_000), st.lists(st.integers(0, 500), max_size=8))
def test_what_is_left_of_lots_is_what_the_ledger_will_take_at_their_dates(balance: int, parts: list[int]) -> None:
    lives = [life(number, minor) for number, minor in enumerate(parts)]
    place = Place("partner:ann", "POINTS")
    assert lefts(balance, parts) == left_of(lives, {place: balance}, {})
