"""Cells to values: tables of what is read, and of what is refused with which reason."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import is_id
from contracts.money import CURRENCY_DECIMALS
from goodword.importing.values import BadValue, instant, integer, minor_units, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Moses Frase", "moses-frase"),
        ("Gekko & Co", "gekko-co"),
        ("  J-Texon ", "j-texon"),
        ("dambase", "dambase"),
        ("Café Ångström", "cafe-angstrom"),
        ("a:b", "a-b"),
        ("O'Neil / Söhne GmbH", "o-neil-sohne-gmbh"),
    ],
)
def test_a_slug_keeps_what_an_id_may_hold(text: str, expected: str) -> None:
    assert slug(text) == expected
    assert is_id(expected)


@pytest.mark.parametrize("text", ["", "—", "日本", "x" * 129])
def test_a_name_that_leaves_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        slug(text)


@given(st.text(max_size=200))
def test_a_slug_is_an_id_or_a_refusal(text: str) -> None:
    with contextlib.suppress(BadValue):
        assert is_id(slug(text))


@pytest.mark.parametrize(
    ("text", "currency", "multiply", "minor"),
    [
        ("1054", "USD", 1, 105400),
        ("718.62", "USD", 1_000_000, 71_862_000_000),
        ("4.54", "USD", 1_000_000, 454_000_000),
        ("1100.04", "USD", 1_000_000, 110_004_000_000),
        ("0.1", "USD", 1, 10),
        (".5", "USD", 1, 50),
        ("7.", "USD", 1, 700),
        ("1054.00", "JPY", 1, 1054),
        ("1.234", "KWD", 1, 1234),
        ("-12.30", "EUR", 1, -1230),
        ("+3", "EUR", 1, 300),
        ("0.000001", "USD", 1_000_000, 100),
        ("92233720368547758.07", "USD", 1, 2**63 - 1),
    ],
)
def test_amounts_are_exact(text: str, currency: str, multiply: int, minor: int) -> None:
    assert minor_units(text, currency, multiply) == minor


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("1,054.00", "USD", "not a decimal number"),
        ("1e3", "USD", "not a decimal number"),
        ("$5", "USD", "not a decimal number"),
        ("NaN", "USD", "not a decimal number"),
        ("٣", "USD", "not a decimal number"),
        ("", "USD", "not a decimal number"),
        (".", "USD", "not a decimal number"),
        ("1.005", "USD", "more decimals"),
        ("0.5", "JPY", "more decimals"),
        ("5", "XYZ", "not a currency"),
        ("92233720368547758.08", "USD", "more than an amount"),
        ("9" * 41, "USD", "not a decimal number"),
    ],
)
def test_an_amount_that_cannot_be_exact_is_refused(text: str, currency: str, reason: str) -> None:
    with pytest.raises(BadValue, match=reason):
        minor_units(text, currency)


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False),
    st.sampled_from(sorted(CURRENCY_DECIMALS)),
    st.sampled_from([1, 1_000, 1_000_000]),
)
def test_amounts_agree_with_decimal_arithmetic(value: Decimal, currency: str, multiply: int) -> None:
    exact = value * multiply * 10 ** CURRENCY_DECIMALS[currency]
    if exact == exact.to_integral_value():
        assert minor_units(f"{value:f}", currency, multiply) == int(exact)
    else:
        with pytest.raises(BadValue, match="more decimals"):
            minor_units(f"{value:f}", currency, multiply)


@pytest.mark.parametrize(
    ("text", "format", "timezone", "shown"),
    [
        ("3/1/2017", "%m/%d/%Y", "UTC", "2017-03-01T00:00:00Z"),
        ("10/20/2016", "%m/%d/%Y", "UTC", "2016-10-20T00:00:00Z"),
        ("2026-03-08 09:00", "%Y-%m-%d %H:%M", "America/New_York", "2026-03-08T13:00:00Z"),
        ("2026-01-08 09:00", "%Y-%m-%d %H:%M", "America/New_York", "2026-01-08T14:00:00Z"),
        ("2026-01-08T09:00:00.250+0200", "%Y-%m-%dT%H:%M:%S.%f%z", "UTC", "2026-01-08T07:00:00.250Z"),
        ("1931-05-06", "%Y-%m-%d", "UTC", "1931-05-06T00:00:00Z"),
    ],
)
def test_times_become_instants(text: str, format: str, timezone: str, shown: str) -> None:
    from contracts.events import parse_time_ms

    time_ms, made = instant(text, format, timezone)
    assert made == shown
    assert parse_time_ms(made) == time_ms


@pytest.mark.parametrize("text", ["2017-03-01", "13/1/2017", "2/29/2017", "x"])
def test_a_time_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="not a time of the form"):
        instant(text, "%m/%d/%Y", "UTC")


@pytest.mark.parametrize("text", ["2.5", "1e3", "", "9" * 19, "x", "٣"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        integer(text)


def test_whole_numbers_are_read() -> None:
    assert [integer(text) for text in ("2448", "-1", "+7", "007")] == [2448, -1, 7, 7]
