"""Text of a cell to a value of an event. Pure, exact (no floats), and every failure says what was expected."""

from __future__ import annotations

import functools
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from contracts.ids import ID_LENGTH_MAX
from contracts.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS

_DECIMAL: Final = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?|([+-]?)\.(\d+)", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_WORDS: Final = re.compile(r"[a-z0-9]+")
_COUNT_MAX: Final = 2**53


class BadValue(ValueError):
    """The text is not what the mapping says it is; the message says what was expected."""


@functools.lru_cache(maxsize=65_536)
def slug(text: str) -> str:
    """`Moses Frase` as `moses-frase`, `Gekko & Co` as `gekko-co`, `Café Ångström` as `cafe-angstrom`.

    Raises:
        BadValue: Nothing that an id may hold is left, or it is too long for one.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    made = "-".join(_WORDS.findall(plain))
    if not made:
        raise BadValue("no letter or digit that an id may hold")
    if len(made) > ID_LENGTH_MAX:
        raise BadValue(f"more than the {ID_LENGTH_MAX} characters that an id may have")
    return made


@functools.lru_cache(maxsize=65_536)
def instant(text: str, format: str, timezone: str) -> tuple[int, str]:
    """A local time of the zone, or one with its own offset, as milliseconds since 1970 and as RFC 3339 in UTC.

    Raises:
        BadValue: The text does not have the format, or such a time does not exist.
    """
    try:
        moment = datetime.strptime(text, format)  # noqa: DTZ007 - the zone is given below, unless the format has one
    except ValueError:
        raise BadValue(f"not a time of the form {format}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise BadValue("a time outside the calendar") from None
    seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    milliseconds = moment.microsecond // 1000
    shown = moment.replace(tzinfo=None, microsecond=0).isoformat()
    return seconds * 1000 + milliseconds, f"{shown}.{milliseconds:03d}Z" if milliseconds else f"{shown}Z"


def integer(text: str) -> int:
    """Raises BadValue unless the text is a whole number that an event may carry."""
    if _INTEGER.fullmatch(text) is None or abs(int(text)) > _COUNT_MAX:
        raise BadValue("not a whole number")
    return int(text)


def minor_units(text: str, currency: str, multiply: int = 1) -> int:
    """`718.62`, `USD`, 1,000,000 as 71862000000; on digits, so that no float ever touches it.

    Args:
        text: Decimal text; `1,054.00` and other thousands separators are refused: which one is meant cannot be known.
        currency: Code of ISO 4217; says how many decimals there are.
        multiply: What one unit of the text stands for, such as a million.

    Raises:
        BadValue: Not a decimal number, not a currency of ISO 4217, more decimals than the currency has, or too large.
    """
    decimals = CURRENCY_DECIMALS.get(currency)
    if decimals is None:
        raise BadValue(f"{currency} is not a currency code of ISO 4217")
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) > 40:
        raise BadValue("not a decimal number such as 1054.00")
    sign, whole, part = found[1] or found[4] or "", found[2] or "0", found[3] or found[5] or ""
    scaled = int(whole + part) * multiply * int(10**decimals)
    minor, rest = divmod(scaled, int(10 ** len(part)))
    if rest:
        raise BadValue(f"more decimals than {currency} has ({decimals})")
    if minor > AMOUNT_MINOR_MAX:
        raise BadValue("more than an amount can be")
    return -minor if sign == "-" else minor
