"""Facts as scalars and whole numbers, all that the second engine takes; a second reading of what values mean.

Written from docs/rules.md, not from `services.rules.deciding.judge`, so that a mistake in either shows. A view is how
one path is looked at for one kind of literal; where a value does not fit the view there is none, and the comparison
is unknown. Exact fractions become two whole numbers, rounded down and up: `x >= 4.5` asks the lower
one, `x > 4.5` the upper one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from contracts.events import Amount
from contracts.ruleset import Metric, RuleSet
from services.rules.engines.port import Facts
from services.rules.language.paths import known_path

SIZE_MAX: Final = 2**62
"""Beyond, a number is this size: literals are far smaller, so no order changes, and 64 bits hold it."""
_MILLION: Final = 1_000_000
_NUMBER_LENGTH_MAX: Final = 40
_FIRST_DAY: Final = date(1970, 1, 1)
_HIGH: Final = "abcdefghijklmnop"
_LOW: Final = "ABCDEFGHIJKLMNOP"
_SEPARATOR: Final = "Z"

Kind = Literal["there", "text", "words", "prefix", "members", "amount", "number", "day", "moment"]
Seen = str | int


class View(NamedTuple):
    """How a path is looked at.

    Attributes:
        kind: `there` whether there is a value, `text` for equality, `words` for what is inside of a text, `prefix` for
            how it begins, `members` for a list; sizes are `amount`, `number`, `day` and `moment`.
        unit: Of an amount; `length` in characters of a prefix; `is_up` for the upper of two whole numbers.
    """

    path: str
    kind: Kind
    unit: str = ""
    length: int = 0
    is_up: bool = False


class Views:
    """What the paths of one rule set look like."""

    def __init__(self, rules: RuleSet) -> None:
        self._metrics: dict[str, Metric] = {metric.id: metric for metric in rules.metrics}
        self._zone = ZoneInfo(rules.timezone)

    def has_fractions(self, path: str) -> bool:
        """Whether the path may have a value between two whole numbers of its smallest unit."""
        metric = self._metrics.get(path)
        if metric is not None:
            return metric.kind == "mean"
        return self.type_of(path) in {"text", "attribute"}

    def type_of(self, path: str) -> str:
        if path in self._metrics:
            return "metric"
        known = known_path(path)
        return "" if known is None else known.type

    def see(self, view: View, facts: Facts) -> Seen | None:
        """What the view shows; None when that is nothing."""
        value = facts.values.get(view.path)
        if value is None:
            return None
        return _SEE[view.kind](self, view, value, facts)

    def amount(self, view: View, value: Any, facts: Facts) -> int | None:
        metric = self._metrics.get(view.path)
        if isinstance(value, Amount):
            minor, unit = Fraction(value.minor), value.currency
        elif metric is None or metric.unit is None:
            return None
        else:
            minor, unit = _fraction(value), metric.unit
        if unit != view.unit:
            factor = facts.rates.factor(unit, view.unit, facts.day)
            if factor is None:
                return None
            minor = Fraction(round(minor * Fraction(factor.numerator, factor.denominator)))
        return _sized(minor, view)

    def number(self, view: View, value: Any, facts: Facts) -> int | None:
        metric = self._metrics.get(view.path)
        if isinstance(value, str):
            number = _written_number(value)
            return None if number is None else _sized(number * _MILLION, view)
        if isinstance(value, int) or (metric is not None and metric.kind == "mean"):
            return _sized(_fraction(value) * _MILLION, view)
        return None

    def day(self, view: View, value: Any, facts: Facts) -> int | None:
        if self.type_of(view.path) == "time":
            return (self._moment_of(value).astimezone(self._zone).date() - _FIRST_DAY).days
        try:
            return (date.fromisoformat(value) - _FIRST_DAY).days
        except (TypeError, ValueError):
            return None

    def moment(self, view: View, value: Any, facts: Facts) -> int | None:
        return _clamped(value) if self.type_of(view.path) == "time" else None

    def _moment_of(self, time_ms: int) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


def _there(views: Views, view: View, value: Any, facts: Facts) -> int:
    return 1


def _text(views: Views, view: View, value: Any, facts: Facts) -> str | None:
    return encoded(str(value)) if isinstance(value, str | int) else None


def _words(views: Views, view: View, value: Any, facts: Facts) -> str | None:
    return encoded(value) if isinstance(value, str) else None


def _prefix(views: Views, view: View, value: Any, facts: Facts) -> str | None:
    return encoded(value[: view.length]) if isinstance(value, str) else None


def _members(views: Views, view: View, value: Any, facts: Facts) -> str | None:
    return _SEPARATOR + "".join(member(each) for each in value) if isinstance(value, tuple) else None


_SEE: Final[dict[Kind, Callable[[Views, View, Any, Facts], Seen | None]]] = {
    "there": _there,
    "text": _text,
    "words": _words,
    "prefix": _prefix,
    "members": _members,
    "amount": Views.amount,
    "number": Views.number,
    "day": Views.day,
    "moment": Views.moment,
}


def encoded(text: str) -> str:
    """The text in letters that mean nothing in a pattern or in JSON.

    Each byte becomes a small and a capital letter, so that one text is inside of another where its bytes are.
    """
    return "".join(_HIGH[byte >> 4] + _LOW[byte & 15] for byte in text.encode(errors="surrogatepass"))


def member(text: str) -> str:
    """One text of a list, as it stands in the view `members` after a separator."""
    return encoded(text) + _SEPARATOR


def _fraction(value: Any) -> Fraction:
    """A count, a total, or an average as (sum, count)."""
    return Fraction(value[0], value[1]) if isinstance(value, tuple) else Fraction(value)


def _sized(value: Fraction, view: View) -> int:
    return _clamped(ceil(value) if view.is_up else floor(value))


def _clamped(value: int) -> int:
    return max(-SIZE_MAX, min(SIZE_MAX, value))


def _written_number(text: str) -> Fraction | None:
    """A decimal number written as text; None for anything else, also with an exponent."""
    if len(text) > _NUMBER_LENGTH_MAX or "e" in text.lower() or "/" in text:
        return None
    try:
        return Fraction(text)
    except ValueError:
        return None
