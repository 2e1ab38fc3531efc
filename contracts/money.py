"""Money and units: integers in minor units, each with its scale; never floats.

A unit is an ISO 4217 currency code (its decimals from the ISO table), or a unit of a programme's own
(`POINTS`, `CREDIT`, `PERK:early-access`), which has no decimals unless the rule set declares them.
Rounding is half-even, on integers, in one place.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

PPM: Final = 1_000_000
"""All of it: every ratio in the system is in millionths."""

UNIT_DECIMALS_MAX: Final = 6
"""Of a unit of a programme's own."""

AMOUNT_MINOR_MAX: Final = 2**63 - 1
"""The largest amount, so that it fits a signed 64-bit column."""

# ISO 4217 (list one, 2026): codes by the number of their decimals.
_TWO_DECIMALS: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
    "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
    "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
    "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "
).split()
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND".split()
_FOUR_DECIMALS: Final = "CLF UYW".split()

CURRENCY_DECIMALS: Final[dict[str, int]] = (
    dict.fromkeys(_TWO_DECIMALS, 2)
    | dict.fromkeys(_NO_DECIMALS, 0)
    | dict.fromkeys(_THREE_DECIMALS, 3)
    | dict.fromkeys(_FOUR_DECIMALS, 4)
)
"""ISO 4217 code to decimals."""

UNIT_PATTERN: Final = r"^[A-Z][A-Z0-9_]*(:[a-z0-9][a-z0-9-]*)?$"
_UNIT: Final = re.compile(UNIT_PATTERN, re.ASCII)


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in minor units and its unit. `+` and `-` across units raise ValueError."""

    amount_minor: int
    unit: str

    def __add__(self, other: Money) -> Money:
        self._same_unit(other)
        return Money(self.amount_minor + other.amount_minor, self.unit)

    def __sub__(self, other: Money) -> Money:
        self._same_unit(other)
        return Money(self.amount_minor - other.amount_minor, self.unit)

    def _same_unit(self, other: Money) -> None:
        if self.unit != other.unit:
            raise ValueError(f"cannot mix {self.unit} and {other.unit}")


def is_currency(unit: str) -> bool:
    return unit in CURRENCY_DECIMALS


def is_unit(text: str) -> bool:
    """Whether the text can name a unit: a currency or a unit of a programme's own."""
    return _UNIT.fullmatch(text) is not None and len(text) <= 64


def assumed_decimals(unit: str) -> int:
    """What whoever is told no decimals takes: those of the ISO table, 0 for a unit of a programme's own."""
    return CURRENCY_DECIMALS.get(unit, 0)


def told_decimals(unit: str, decimals: int) -> int | None:
    """What a decision or fact says of a unit's scale: None where the reader assumes it anyway."""
    return None if decimals == assumed_decimals(unit) else decimals


def round_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` to the nearest integer, ties to even (ISO 80000-1, B.3), exactly.

    Args:
        numerator: Any integer.
        denominator: A positive integer.
    """
    quotient, rest = divmod(numerator, denominator)
    twice = rest * 2
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def format_minor(amount_minor: int, decimals: int) -> str:
    """`105400, 2` as `1054.00`; `-5, 2` as `-0.05`."""
    if decimals == 0:
        return str(amount_minor)
    # Told so often that it is made of texts: formatting the parts takes three times as long.
    digits = str(abs(amount_minor)).zfill(decimals + 1)
    return f"{'-' if amount_minor < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def format_money(money: Money, decimals: int | None = None) -> str:
    """`Money(105400, "USD")` as `1054.00 USD`. Decimals of None are `assumed_decimals`."""
    scale = assumed_decimals(money.unit) if decimals is None else decimals
    return f"{format_minor(money.amount_minor, scale)} {money.unit}"
