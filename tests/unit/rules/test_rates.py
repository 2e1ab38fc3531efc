"""Exchange rates: which one serves a day, both ways, exact, and that they survive being stored."""

from __future__ import annotations

from fractions import Fraction

import pytest

from contracts.errors import PermanentError
from contracts.events import RatesPublished
from services.rules.amounts.rates import Rates, converted, read_rates

PUBLISHED = (
    ("2026-03-01", {"EUR/USD": "1.10", "USD/JPY": "150"}),
    ("2026-03-05", {"EUR/USD": "1.20"}),
    ("2026-03-05", {"USD/EUR": "0.5"}),
    ("2026-03-06", {"USD/EUR": "0.8"}),
    ("2026-03-01", {"KWD/USD": "3.25"}),
)
MARCH_1 = 20_513
CASES = (
    ("the same currency needs no rate", 100, "USD", "USD", -5, 100),
    ("before the first rate there is none", 100, "EUR", "USD", -1, None),
    ("on the day of the rate", 100, "EUR", "USD", 0, 110),
    ("the newest before the day serves", 100, "EUR", "USD", 3, 110),
    ("of one day the direct pair is taken", 100, "EUR", "USD", 4, 120),
    ("and so on the way back", 100, "USD", "EUR", 4, 50),
    ("the newer pair is taken, as its exact reciprocal", 100, "EUR", "USD", 5, 125),
    ("no decimals against two", 150, "JPY", "USD", 0, 100),
    ("two decimals against none", 100, "USD", "JPY", 0, 150),
    ("a half goes to the even unit below", 1, "USD", "JPY", 0, 2),
    ("a third of a reciprocal is exact", 1_000_000_000_000_001, "JPY", "USD", 0, 666_666_666_666_667),
    ("three decimals", 1_000, "KWD", "USD", 0, 325),
    ("below zero rounds alike", -1, "USD", "JPY", 0, -2),
    ("no way round by a third currency", 100, "EUR", "JPY", 9, None),
    ("points are no currency", 100, "POINTS", "USD", 9, None),
)


def _rates() -> Rates:
    rates = Rates()
    for day, pairs in PUBLISHED:
        assert rates.take(RatesPublished(day, pairs))
    return rates


@pytest.mark.parametrize(
    ("minor", "from_unit", "to_unit", "days", "want"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_amounts_convert(minor: int, from_unit: str, to_unit: str, days: int, want: int | None) -> None:
    rates = _rates()
    assert converted(minor, from_unit, to_unit, MARCH_1 + days, rates) == want
    stored = Rates()
    stored.load(rates.encode())
    assert stored.encode() == rates.encode()
    assert converted(minor, from_unit, to_unit, MARCH_1 + days, stored) == want


def test_a_rate_told_again_is_no_news_and_a_corrected_one_is() -> None:
    rates = _rates()
    assert not rates.take(RatesPublished("2026-03-01", {"EUR/USD": "1.10"}))
    assert rates.take(RatesPublished("2026-03-01", {"EUR/USD": "1.15"}))
    assert converted(100, "EUR", "USD", MARCH_1, rates) == 115


def test_the_way_there_and_back_is_exact() -> None:
    there, back = _rates().factor("JPY", "USD", MARCH_1), _rates().factor("USD", "JPY", MARCH_1)
    assert there is not None
    assert back is not None
    assert Fraction(there.numerator, there.denominator) * Fraction(back.numerator, back.denominator) == 1
    assert there.text == "USD/JPY 150 of 2026-03-01"


@pytest.mark.parametrize(
    ("day", "rates"),
    [
        ("2026-02-30", {"EUR/USD": "1"}),
        ("yesterday", {"EUR/USD": "1"}),
        ("2026-03-01", {}),
        ("2026-03-01", {"EURUSD": "1"}),
        ("2026-03-01", {"EUR/POINTS": "1"}),
        ("2026-03-01", {"EUR/EUR": "1"}),
        ("2026-03-01", {"EUR/USD": "0"}),
        ("2026-03-01", {"EUR/USD": "-1"}),
        ("2026-03-01", {"EUR/USD": "1e5"}),
        ("2026-03-01", {"EUR/USD": "1,08"}),
        ("2026-03-01", {"EUR/USD": "9" * 16}),
        ("2026-03-01", {"EUR/USD": "NaN"}),
    ],
)
def test_what_is_no_rate_is_refused_whole(day: str, rates: dict[str, str]) -> None:
    with pytest.raises(PermanentError) as refused:
        read_rates(RatesPublished(day, rates))
    assert refused.value.problem.code == "bad-rates"
