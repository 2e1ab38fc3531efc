"""Values as something exact to compare and to show: amounts in a currency, averages, numbers that are written as text.

An amount in another currency converts at the rate of the day (`services.rules.amounts.rates`); all else is exact as it
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final, NamedTuple

from contracts.events import Amount, format_time
from contracts.money import CURRENCY_DECIMALS, Money, format_minor, format_money, round_half_even
from services.rules.amounts.rates import Rates, no_rate

MEAN_DECIMALS: Final = 4
NUMBER_DECIMALS: Final = 6


class Kind(NamedTuple):
    """What a path gives.

    Attributes:
        name: `data` for values of events and partners, `amount` and `number` for such among them that differ widely,
            `sum` for totals and counts, `mean` for averages (sum and count), `time` for instants in milliseconds.
        unit: Of a sum or mean of amounts; None for plain numbers.
    """

    name: str
    unit: str | None = None


class Market(NamedTuple):
    """Where amounts convert: the event's local day, and the rates that the log has told so far."""

    day: int
    rates: Rates


class Measured(NamedTuple):
    """A value in a currency, in minor units; of an average a fraction of them.

    Attributes:
        note: How it was converted, for people: `975.78 USD at EUR/USD 1.0842 of 2026-03-01`; empty when it was not.
    """

    minor: int | Fraction
    note: str


def in_currency(value: Any, kind: Kind, currency: str, market: Market | None) -> Measured | str:
    """An amount, or a metric of amounts, in that currency; or why it cannot be said in it."""
    count = 1
    if isinstance(value, Amount):
        minor, own = value.minor, value.currency
    elif kind.unit is not None and kind.name in ("sum", "mean"):
        minor, count = value if kind.name == "mean" else (value, 1)
        own = kind.unit
    else:
        return "not an amount"
    if own == currency:
        return Measured(minor if count == 1 else Fraction(minor, count), "")
    factor = None if market is None else market.rates.factor(own, currency, market.day)
    if factor is None:
        return no_rate(own, currency)
    converted = round_half_even(minor * factor.numerator, count * factor.denominator)
    return Measured(converted, f"{format_money(Money(converted, currency))} at {factor.text}")


def as_number(value: Any, kind: Kind) -> int | Fraction | None:
    """A plain number, an average of such, or a number written as text; None for anything else."""
    if isinstance(value, int):
        return value
    if kind.name == "mean" and kind.unit is None:
        return Fraction(*value)
    return exact_number(value) if isinstance(value, str) else None


def describe(value: Any, kind: Kind, decimals: Mapping[str, int]) -> str:
    if isinstance(value, Amount):
        return amount_in_words(value)
    if kind.name == "time":
        return format_time(value)
    scale = 0 if kind.unit is None else decimals.get(kind.unit, 0)
    unit = "" if kind.unit is None else f" {kind.unit}"
    if kind.name == "mean":
        shown = max(scale, MEAN_DECIMALS)
        return format_minor(round_half_even(value[0] * 10 ** (shown - scale), value[1]), shown) + unit
    if kind.name == "sum":
        return format_minor(value, scale) + unit
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value)


def amount_in_words(amount: Amount) -> str:
    minor, currency = amount.minor, amount.currency
    if minor >= 100 and CURRENCY_DECIMALS.get(currency) == 2:
        digits = str(minor)
        return f"{digits[:-2]}.{digits[-2:]} {currency}"
    return f"{format_minor(minor, CURRENCY_DECIMALS.get(currency, 0))} {currency}"


def number_text(millionths: int) -> str:
    """`7_500_000` as `7.5`."""
    text = format_minor(millionths, NUMBER_DECIMALS)
    return text.rstrip("0").rstrip(".")


def exact_number(text: str) -> Fraction | None:
    """A number written as text, which attributes may carry; None for anything else, also for exponents that explode."""
    if len(text) > 40 or "e" in text.lower():
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return Fraction(number) if number.is_finite() else None
