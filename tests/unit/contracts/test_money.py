"""Money: rounding, scales and units."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import CURRENCY_DECIMALS, Money, format_minor, format_money, is_currency, is_unit, round_half_even


@given(st.integers(-(10**24), 10**24), st.integers(1, 10**12))
def test_rounding_equals_decimal_half_even(numerator: int, denominator: int) -> None:
    exact = Decimal(numerator) / Decimal(denominator)
    if (numerator * 10**20) % denominator == 0:  # Decimal's own 28 digits hold the quotient exactly enough
        assert round_half_even(numerator, denominator) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    low, rest = divmod(numerator, denominator)
    rounded = round_half_even(numerator, denominator)
    assert rounded in {low, low + 1}
    assert abs(rounded * denominator - numerator) * 2 <= denominator
    if rest * 2 == denominator:
        assert rounded % 2 == 0


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (-5, 2, -2), (7, 3, 2), (-7, 3, -2), (0, 9, 0)],
)
def test_ties_go_to_the_even_neighbour(numerator: int, denominator: int, rounded: int) -> None:
    assert round_half_even(numerator, denominator) == rounded


@pytest.mark.parametrize(
    ("amount_minor", "decimals", "text"),
    [(105400, 2, "1054.00"), (-5, 2, "-0.05"), (0, 2, "0.00"), (7, 0, "7"), (1, 3, "0.001"), (-123456, 3, "-123.456")],
)
def test_minor_units_are_shown_with_all_decimals(amount_minor: int, decimals: int, text: str) -> None:
    assert format_minor(amount_minor, decimals) == text


@pytest.mark.parametrize(("code", "decimals"), [("JPY", 0), ("USD", 2), ("KWD", 3), ("CLF", 4)])
def test_a_currency_knows_its_scale(code: str, decimals: int) -> None:
    assert CURRENCY_DECIMALS[code] == decimals
    assert is_currency(code)


def test_units_do_not_mix() -> None:
    assert Money(1, "USD") + Money(2, "USD") == Money(3, "USD")
    with pytest.raises(ValueError, match="cannot mix USD and EUR"):
        _ = Money(1, "USD") - Money(1, "EUR")


@pytest.mark.parametrize(
    ("text", "known"), [("POINTS", True), ("PERK:early-access", True), ("usd", False), ("A B", False), ("", False)]
)
def test_a_unit_has_one_spelling(text: str, known: bool) -> None:
    assert is_unit(text) is known


def test_money_of_a_programmes_own_unit_has_no_decimals() -> None:
    assert format_money(Money(10, "POINTS")) == "10 POINTS"
    assert format_money(Money(10, "CREDIT"), 2) == "0.10 CREDIT"
