"""Exchange rates as the log told them, and amounts in another currency (docs/rules.md#rates).

An amount converts at the newest rate at or before the day, of those that stood in the partition's log before the event:
a rate that comes later never changes what was decided. A pair serves both ways, the way back as the exact reciprocal;
of both the newer one is taken, of one day the direct one. There is no way round by a third currency. All of it
is exact; the one rounding is half-even, to the minor unit of the currency converted to.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.events import RatesPublished
from contracts.money import CURRENCY_DECIMALS, is_currency, round_half_even
from services.rules.clock.calendar import date_of, day_of_date
from services.rules.states.children import STATE_VERSION, checked

PAIRS_MAX: Final = 1_000
"""Pairs in one publication: ISO 4217 has 180 currencies, and nobody quotes all of them in all others."""
_PAIR: Final = re.compile(r"[A-Z]{3}/[A-Z]{3}", re.ASCII)
_RATE: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)
_FACTORS_MAX: Final = 65_536


class Factor(NamedTuple):
    """What minor units are multiplied by to become minor units of another currency, as a fraction.

    Attributes:
        text: The rate for people: `EUR/USD 1.0842 of 2026-03-01`.
    """

    numerator: int
    denominator: int
    text: str

    def of(self, minor: int) -> int:
        """The amount converted and rounded half-even."""
        return round_half_even(minor * self.numerator, self.denominator)


class _Pair(msgspec.Struct, gc=False):
    """The rates of one pair: sorted days, and the exact decimal text of each."""

    days: array[int]
    texts: list[str]

    def at(self, day: int) -> int:
        """The place of the newest rate at or before the day; -1 when there is none."""
        return bisect_right(self.days, day) - 1

    def take(self, day: int, text: str) -> bool:
        index = bisect_left(self.days, day)
        if index < len(self.days) and self.days[index] == day:
            if self.texts[index] == text:
                return False
            self.texts[index] = text
            return True
        self.days.insert(index, day)
        self.texts.insert(index, text)
        return True


class Rates:
    """The rates of one programme in one partition; only ever grows, or corrects a day for the events that follow."""

    __slots__ = ("_pairs",)

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def factor(self, from_unit: str, to_unit: str, day: int) -> Factor | None:
        """What converts the one currency into the other on that day; None without a rate."""
        direct = self._pairs.get((from_unit, to_unit))
        inverse = self._pairs.get((to_unit, from_unit))
        at = -1 if direct is None else direct.at(day)
        back = -1 if inverse is None else inverse.at(day)
        if direct is not None and at >= 0 and (inverse is None or back < 0 or direct.days[at] >= inverse.days[back]):
            return _factor(direct.texts[at], direct.days[at], from_unit, to_unit, is_inverse=False)
        if inverse is not None and back >= 0:
            return _factor(inverse.texts[back], inverse.days[back], from_unit, to_unit, is_inverse=True)
        return None

    def take(self, published: RatesPublished) -> bool:
        """Let the rates of a day enter; returns whether any of them is news.

        Raises:
            PermanentError(`bad-rates`): Something is no day, no pair or no rate; nothing entered.
        """
        day, rates = read_rates(published)
        is_news = False
        for (base, quote), text in rates:
            pair = self._pairs.get((base, quote))
            if pair is None:
                pair = self._pairs[base, quote] = _Pair(array("i"), [])
            is_news = pair.take(day, text) or is_news
        return is_news

    def listed(self) -> list[tuple[str, str, str]]:
        """Day, pair and rate of all, by day and pair."""
        return sorted(
            (date_of(day).isoformat(), f"{base}/{quote}", text)
            for (base, quote), pair in self._pairs.items()
            for day, text in zip(pair.days, pair.texts, strict=True)
        )

    def encode(self) -> bytes:
        pairs = [[base, quote, pair.days.tobytes(), pair.texts] for (base, quote), pair in self._pairs.items()]
        return _encode([STATE_VERSION, pairs])

    def load(self, value: bytes) -> None:
        """Become what `encode` wrote. Raises StateUnreadable."""
        stored: Any = checked(_decode(value))
        self._pairs = {(base, quote): _Pair(array("i", days), texts) for base, quote, days, texts in stored[1]}


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode
NO_RATES: Final = Rates()
"""Of whoever is told none; never taken into."""


def converted(minor: int, from_unit: str, to_unit: str, day: int, rates: Rates) -> int | None:
    """Minor units of the other currency, at the newest rate at or before the day; None without a rate."""
    if from_unit == to_unit:
        return minor
    factor = rates.factor(from_unit, to_unit, day)
    return None if factor is None else factor.of(minor)


def no_rate(from_unit: str, to_unit: str) -> str:
    """The words of all who miss one."""
    return f"no rate from {from_unit} to {to_unit}"


def read_rates(published: RatesPublished) -> tuple[int, list[tuple[tuple[str, str], str]]]:
    """The day, and each pair with its rate, checked.

    Raises:
        PermanentError(`bad-rates`): Something is no day, no pair or no rate.
    """
    try:
        day = day_of_date(date.fromisoformat(published.day))
        # Python reads other spellings of a day as well; two of them would be two days in a file.
        is_plain = date_of(day).isoformat() == published.day
    except ValueError:
        is_plain = False
    if not is_plain:
        raise _bad(f"{published.day!r} is not a day", "rates.day", "write it as 2026-03-01")
    if not published.rates or len(published.rates) > PAIRS_MAX:
        raise _bad(f"{len(published.rates)} rates; 1 to {PAIRS_MAX} can be told at once", "rates.rates", "")
    return day, [read_rate(pair, text) for pair, text in published.rates.items()]


def is_pair(text: str) -> bool:
    """Whether the text looks like `EUR/USD`."""
    return _PAIR.fullmatch(text) is not None


def read_rate(pair: str, text: str) -> tuple[tuple[str, str], str]:
    """A pair and its rate, checked. Raises PermanentError(`bad-rates`)."""
    return read_pair(pair), _rate(pair, text)


def read_pair(text: str) -> tuple[str, str]:
    """`EUR/USD` as base and quote. Raises PermanentError(`bad-rates`)."""
    base, _, quote = text.partition("/")
    if not (is_currency(base) and is_currency(quote)):
        other = base if not is_currency(base) else quote
        raise _bad(f"{other!r} in {text!r} is not a currency of ISO 4217", f"rates.rates.{text}", "write EUR/USD")
    if base == quote:
        raise _bad(f"{text} is a currency in itself", f"rates.rates.{text}", "write EUR/USD")
    return base, quote


def _rate(pair: str, text: str) -> str:
    if not _RATE.fullmatch(text) or not Fraction(text):
        help = "write a decimal above zero, with at most 15 digits on each side of the point: 1.0842"
        raise _bad(f"{text!r} is not a rate of {pair}", f"rates.rates.{pair}", help)
    return text


def _bad(message: str, where: str, help: str) -> PermanentError:
    return PermanentError(Problem(code="bad-rates", message=message, where=where, help=help))


@lru_cache(maxsize=_FACTORS_MAX)
def _factor(rate: str, day: int, from_unit: str, to_unit: str, *, is_inverse: bool) -> Factor:
    exact = 1 / Fraction(rate) if is_inverse else Fraction(rate)
    exact *= Fraction(10 ** CURRENCY_DECIMALS[to_unit], 10 ** CURRENCY_DECIMALS[from_unit])
    pair = f"{to_unit}/{from_unit}" if is_inverse else f"{from_unit}/{to_unit}"
    return Factor(exact.numerator, exact.denominator, f"{pair} {rate} of {date_of(day).isoformat()}")
