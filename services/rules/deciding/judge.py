"""How one comparison judges one value: met, not met, or unknown, with the words for the trace.

Three-valued (Kleene) logic: a path without a value, an amount in another currency without a rate, and a value of
the wrong kind are *unknown*, also for `!=` and `not in`; only `exists` and `missing` answer a missing value. All
comparing is done on integers and texts, exactly (docs/rules.md#conditions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, NamedTuple

from contracts.decisions import TraceLine, Verdict
from contracts.money import PPM, Money, is_currency
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Day, Moment, Not, Number, Scalar
from services.rules.amounts.measures import Kind, Market, amount_in_words, as_number, describe, in_currency, number_text
from services.rules.amounts.rates import Rates
from services.rules.clock.calendar import Zone, date_of, day_of_date

MEMO_MAX: Final = 4096
"""Judgements that one comparison remembers, by the value it saw."""
TRUE: Final = "true"
FALSE: Final = "false"
"""A yes or no is compared as the text it is written as."""

_MANY_VALUED: Final = frozenset({"amount", "number", "mean", "time"})
_ORDER: Final[dict[str, Callable[[int, int], bool]]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_VERDICTS: Final[dict[bool | None, Verdict]] = {True: "met", False: "not met", None: "unknown"}


Judgement = tuple[bool | None, TraceLine, str]
"""What a comparison made of a value: the verdict (None is unknown), its trace line, and why it is not met, else empty.

A plain tuple, because generated code takes it apart for every comparison."""


class Inline(NamedTuple):
    """A comparison of integers that generated code may make itself.

    Attributes:
        operator: Of Python, and of ours.
        literal: Minor units, or a whole number.
        currency: When the value is an amount of an event, the one it must have; None when the value is an integer.
        has_many_values: Whether remembering judgements by value would hardly ever help.
    """

    operator: str
    literal: int
    currency: str | None
    has_many_values: bool


class Leaf(dict[Any, Judgement]):
    """One comparison of the rule file; a dict from the value seen to its judgement that fills itself."""

    def __init__(self, comparison: Comparison, part: str, kind: Kind, zone: Zone, decimals: Mapping[str, int]) -> None:
        super().__init__()
        self.comparison = comparison
        self.part = part
        self.reason_not_met = comparison.text if part == "when" else f"{part}: {comparison.text}"
        self._kind = kind
        self._zone = zone
        self._decimals = decimals

    def __missing__(self, value: Any) -> Judgement:
        if len(self) >= MEMO_MAX:
            self.clear()
        judgement = self[value] = self._judge(value)
        return judgement

    def at(self, value: Any, day: int, rates: Rates) -> Judgement:
        """The judgement where amounts convert: not remembered, for rates may differ from event to event."""
        return self[value] if value is None else self._judge(value, Market(day, rates))

    @property
    def converts(self) -> bool:
        """Whether an amount may have to be converted, so that `at` must be asked."""
        literals = self.comparison.literal if isinstance(self.comparison.literal, tuple) else (self.comparison.literal,)
        units = {each.unit for each in literals if isinstance(each, Money) and is_currency(each.unit)}
        return bool(units) and (
            self._kind.name == "amount" or (self._kind.unit is not None and units != {self._kind.unit})
        )

    def _judge(self, value: Any, market: Market | None = None) -> Judgement:
        comparison = self.comparison
        verdict, why = self._verdict(value, market)
        saw = f"{comparison.path} is missing" if value is None else self.describe(value)
        if why and value is not None:
            saw = f"{saw}, {why}"
        line = TraceLine(comparison.text, saw, _VERDICTS[verdict], self.part)
        if verdict:
            return verdict, line, ""
        return verdict, line, self.reason_not_met if verdict is False else f"{self.reason_not_met}: {saw}"

    @property
    def has_many_values(self) -> bool:
        """Whether what the path gives hardly ever comes again, so that remembering by value would not help."""
        return self._kind.name in _MANY_VALUED or (self._kind.name == "sum" and self._kind.unit is not None)

    @property
    def inline(self) -> Inline | None:
        """How generated code may compare by itself; None when it has to ask."""
        operator, literal, kind = self.comparison.operator, self.comparison.literal, self._kind
        if operator not in _ORDER:
            return None
        if isinstance(literal, Money) and kind.name == "amount":
            return Inline(operator, literal.amount_minor, literal.unit, has_many_values=True)
        if isinstance(literal, Money) and kind.name == "sum" and kind.unit == literal.unit:
            return Inline(operator, literal.amount_minor, None, has_many_values=True)
        if isinstance(literal, Number) and kind == ("sum", None) and literal.millionths % PPM == 0:
            return Inline(operator, literal.millionths // PPM, None, has_many_values=False)
        if isinstance(literal, Number) and kind.name == "number" and literal.millionths % PPM == 0:
            return Inline(operator, literal.millionths // PPM, None, has_many_values=True)
        return None

    def describe(self, value: Any) -> str:
        """The value in words for people: `499.99 USD`, `retail`, `2026-03-01T00:00:00.000Z`."""
        return describe(value, self._kind, self._decimals)

    @property
    def describer(self) -> Callable[[Any], str]:
        """What describes values that generated code compares itself."""
        if self._kind.name == "amount":
            return amount_in_words
        return str if self._kind.name == "number" else self.describe

    def _verdict(self, value: Any, market: Market | None) -> tuple[bool | None, str]:
        """The verdict, and what there is to say about the value besides."""
        operator, literal = self.comparison.operator, self.comparison.literal
        if operator == "exists":
            return value is not None, ""
        if operator == "missing":
            return value is None, ""
        if value is None:
            return None, ""
        if operator in {"in", "not in"}:
            among = literal if isinstance(literal, tuple) else (literal,)
            return self._among(value, among, market, negated=operator == "not in")
        if operator in {"contains", "starts_with"}:
            return _text_verdict(value, operator, _text_of(literal))
        sides = self._sides(value, literal, market)
        if isinstance(sides, str):
            return None, sides
        return _ORDER[operator](sides[0], sides[1]), sides[2]

    def _among(
        self, value: Any, literals: tuple[Any, ...], market: Market | None, *, negated: bool
    ) -> tuple[bool | None, str]:
        unknown, note = "", ""
        for literal in literals:
            sides = self._sides(value, literal, market)
            if isinstance(sides, str):
                unknown = sides
                continue
            note = sides[2] or note
            if sides[0] == sides[1]:
                return not negated, note
        return (None, unknown) if unknown else (negated, note)

    def _sides(
        self, value: Any, literal: Scalar | tuple[Scalar, ...] | None, market: Market | None
    ) -> tuple[Any, Any, str] | str:
        """Both sides as something exact to compare and how the first was converted, or why they cannot be compared."""
        match literal:
            case Money():
                measured = in_currency(value, self._kind, literal.unit, market)
                if isinstance(measured, str):
                    return measured
                return measured.minor, literal.amount_minor, measured.note
            case Number():
                number = as_number(value, self._kind)
                return "not a number" if number is None else (number * PPM, literal.millionths, "")
            case Day():
                return self._days(value, literal.epoch_day)
            case Moment():
                return (value, literal.time_ms, "") if self._kind.name == "time" else "not a time"
            case bool() | str():
                if isinstance(value, str):
                    return value, _text_of(literal), ""
                return (str(value), _text_of(literal), "") if isinstance(value, int) else "not a text"
        return "not comparable"

    def _days(self, value: Any, epoch_day: int) -> tuple[int, int, str] | str:
        if self._kind.name == "time":
            return self._zone.day_of(value), epoch_day, ""
        try:
            return day_of_date(date.fromisoformat(value)), epoch_day, ""
        except (TypeError, ValueError):
            return "not a date"


def _text_verdict(value: Any, operator: str, literal: str) -> tuple[bool | None, str]:
    if operator == "contains" and isinstance(value, tuple):
        return literal in value, ""
    if not isinstance(value, str):
        return None, "not a text"
    return (literal in value if operator == "contains" else value.startswith(literal)), ""


def _text_of(literal: Any) -> str:
    if isinstance(literal, bool):
        return TRUE if literal else FALSE
    if isinstance(literal, Number):
        return number_text(literal.millionths)
    return literal if isinstance(literal, str) else str(literal)


def day_text(epoch_day: int) -> str:
    return date_of(epoch_day).isoformat()


def words(condition: Condition) -> str:
    """The condition on one line, for reasons."""
    match condition:
        case Comparison():
            return condition.text
        case Not():
            return f"not ({words(condition.condition)})"
        case AllOf():
            return " and ".join(_bracketed(each) for each in condition.conditions)
        case AnyOf():
            return " or ".join(_bracketed(each) for each in condition.conditions)


def _bracketed(condition: Condition) -> str:
    return f"({words(condition)})" if isinstance(condition, AllOf | AnyOf) else words(condition)
