"""The values of the rule language, from text: amounts, percentages, numbers, durations, windows, days, times.

Pure. Each reader gives the value, or the `Fault` that says what is wrong with the text; none raises, none rounds,
none goes through a float. See docs/rules.md#values.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Final, Literal, cast
from zoneinfo import ZoneInfo

from contracts.events import time_ms_of
from contracts.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, Money
from contracts.ruleset import Day, Duration, Moment, Number, Window
from services.rules.language.checks import (
    amount_out_of_range,
    more_decimals_than_unit,
    percent_decimals,
    percent_out_of_range,
    unknown_currency,
    unknown_unit,
    unreadable_value,
)
from services.rules.language.located import Fault

PERCENT_DECIMALS_MAX: Final = 4
NUMBER_DECIMALS_MAX: Final = 6
YEARS_MAX: Final = 100
"""The longest duration."""
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2199
_PERCENT_SCALE: Final = 10**PERCENT_DECIMALS_MAX
_MILLION: Final = 1_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DIGITS_MAX: Final = 30

_DECIMAL: Final = re.compile(r"(-?)([0-9]+(?:_[0-9]+)*)(?:\.([0-9]+))?")
_AMOUNT: Final = re.compile(r"(\S+)\s+(\S+)")
_DURATION: Final = re.compile(r"([0-9]+)\s+(day|month|year)s?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_OFFSET: Final = re.compile(r".*T.*(Z|[+-][0-9]{2}:?[0-9]{2})")

_AMOUNT_HELP: Final = "write it like 500 USD or 1_000.50 USD"
_DURATION_HELP: Final = "write it like 30 days, 12 months or 2 years"


def read_decimal(text: str) -> tuple[int, int] | None:
    """`-1_000.50` as (-100050, 2): all digits as one integer, and how many of them are decimals."""
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) > _DIGITS_MAX:
        return None
    sign, whole, part = found.group(1), found.group(2).replace("_", ""), found.group(3) or ""
    return int(sign + whole + part), len(part)


def read_amount(text: str, decimals_of: Mapping[str, int]) -> Money | Fault:
    """`1_000.50 USD` in minor units.

    Args:
        text: As written.
        decimals_of: The programme's own units and their decimals; currencies are known anyway.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return unreadable_value.fault(text, "an amount", _AMOUNT_HELP)
    number, unit = found.groups()
    decimal = read_decimal(number)
    if decimal is None:
        if len(number) > _DIGITS_MAX:
            return amount_out_of_range.too_large(number)
        return unreadable_value.fault(text, "an amount", _AMOUNT_HELP)
    decimals = decimals_of.get(unit, CURRENCY_DECIMALS.get(unit))
    if decimals is None:
        if len(unit) == 3 and unit.isascii() and unit.isalpha():
            return unknown_currency.fault(unit)
        return unknown_unit.fault(unit, (*decimals_of, *CURRENCY_DECIMALS))
    digits, written_decimals = decimal
    if written_decimals > decimals:
        return more_decimals_than_unit.fault(number, unit, decimals)
    minor = digits * 10 ** (decimals - written_decimals)
    if abs(minor) > AMOUNT_MINOR_MAX:
        return amount_out_of_range.too_large(text)
    return Money(minor, unit)


def read_given_amount(text: str, decimals_of: Mapping[str, int], *, may_be_zero: bool = False) -> Money | Fault:
    """An amount that is given or is a ceiling: above zero."""
    amount = read_amount(text, decimals_of)
    if isinstance(amount, Money) and amount.amount_minor < (0 if may_be_zero else 1):
        return amount_out_of_range.not_positive(text)
    return amount


def read_percent_ppm(text: str) -> int | Fault:
    """`7.5` as 75_000 millionths; 0 to 100."""
    decimal = read_decimal(text)
    if decimal is None:
        help = "leave the % away" if text.endswith("%") else "write it like 5 or 7.5"
        return unreadable_value.fault(text, "a percentage", help)
    digits, decimals = decimal
    if decimals > PERCENT_DECIMALS_MAX:
        return percent_decimals.fault(text, PERCENT_DECIMALS_MAX)
    percent_ppm: int = digits * (_PERCENT_SCALE // 10**decimals)
    if not 0 <= percent_ppm <= _MILLION:
        return percent_out_of_range.fault(text)
    return percent_ppm


def read_number(text: str) -> Number | Fault:
    """`7.5` as 7_500_000 millionths."""
    decimal = read_decimal(text)
    if decimal is None or decimal[1] > NUMBER_DECIMALS_MAX:
        return unreadable_value.fault(text, "a number", "write it like 500 or 7.5, with at most six decimals")
    millionths = decimal[0] * 10 ** (NUMBER_DECIMALS_MAX - decimal[1])
    if abs(millionths) > AMOUNT_MINOR_MAX:
        return amount_out_of_range.too_large(text)
    return Number(millionths)


def read_duration(text: str) -> Duration | Fault:
    """`30 days`, `12 months`; `2 years` is 24 months."""
    found = _DURATION.fullmatch(text)
    if found is None:
        help = "a week is 7 days" if "week" in text else _DURATION_HELP
        return unreadable_value.fault(text, "a duration", help)
    count = int(found.group(1)) if len(found.group(1)) <= 6 else 0
    unit = found.group(2)
    if not 0 < count <= YEARS_MAX * {"day": 366, "month": 12, "year": 1}[unit]:
        return unreadable_value.fault(text, "a duration", f"a duration is between 1 day and {YEARS_MAX} years")
    if unit == "day":
        return Duration(days=count)
    return Duration(months=count if unit == "month" else 12 * count)


def read_window(text: str) -> Window | Fault:
    """A duration up to today, or `this month`, `this quarter`, `this year`."""
    if text in ("this month", "this quarter", "this year"):
        return Window(this=cast("Literal['month', 'quarter', 'year']", text.removeprefix("this ")))
    duration = read_duration(text)
    if isinstance(duration, Fault):
        help = "a week is 7 days" if "week" in text else "write it like 12 months, 90 days or this quarter"
        return unreadable_value.fault(text, "a window", help)
    return Window(duration=duration)


def read_day_or_time(text: str, zone: ZoneInfo | None) -> Day | Moment | Fault:
    """`2026-03-01`, or `2026-03-01T09:00:00` local to the zone.

    Of a local time that occurs twice the first is meant; one that is skipped counts on from before the gap
    (PEP 495, fold 0).
    """
    if _OFFSET.fullmatch(text):
        return unreadable_value.fault(
            text, "a local time", "times are local to the programme's timezone: leave Z or the offset away"
        )
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            if YEAR_MIN <= day.year <= YEAR_MAX:
                return Day(day.toordinal() - _EPOCH_DAY)
        elif _TIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
            if YEAR_MIN <= moment.year <= YEAR_MAX:
                return Moment(time_ms_of(moment.replace(tzinfo=zone or ZoneInfo("UTC"))))
    except ValueError:
        pass  # A day that no month has: told below like every other unreadable one.
    return unreadable_value.fault(text, "a date or time", "write it like 2026-03-01 or 2026-03-01T09:00:00")


def read_start_ms(text: str, zone: ZoneInfo | None) -> int | Fault:
    """A time, or a day's first moment, in milliseconds since 1970 in UTC."""
    when = read_day_or_time(text, zone)
    if isinstance(when, Day):
        when = read_day_or_time(f"{text}T00:00:00", zone)
    if isinstance(when, Moment):
        return when.time_ms
    assert isinstance(when, Fault)
    return when


@lru_cache(maxsize=1)
def known_timezones() -> frozenset[str]:
    """The names of the IANA database as shipped, so that a file means the same on every machine."""
    names = importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(names)
