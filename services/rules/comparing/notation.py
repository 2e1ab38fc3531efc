"""Parts of rule sets written out, nearly as a file has them, and the same whenever they mean the same.

Two parts are equal exactly when their notation is, so texts that could be taken for something else are quoted.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from contracts.money import PPM, Money, assumed_decimals
from contracts.ruleset import (
    AllOf,
    AnyOf,
    Brackets,
    Comparison,
    Condition,
    Day,
    Duration,
    Give,
    Given,
    Limit,
    Lookup,
    Moment,
    Not,
    Number,
    Rows,
    RuleSet,
    Scalar,
    Window,
)

NONE: Final = "none"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_PLAIN: Final = re.compile(r"[^\W\d_](?:[\w .:/-]*[\w])?")
_WORDS: Final = frozenset({"true", "false", "any", "all", "not", "and", "or", NONE})


class Notation:
    """Writes the parts of one rule set."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._decimals = {unit.id: unit.decimals for unit in rule_set.units}
        self._zone = ZoneInfo(rule_set.timezone)

    def money(self, money: Money | None) -> str:
        if money is None:
            return NONE
        decimals = self._decimals.get(money.unit, assumed_decimals(money.unit))
        number = Decimal(money.amount_minor).scaleb(-decimals)
        places = 0 if number % 1 == 0 else decimals
        return f"{_grouped(number.quantize(Decimal(1).scaleb(-places)))} {money.unit}"

    def number(self, millionths: int) -> str:
        return _grouped(_shortest(Decimal(millionths) / PPM))

    def percent(self, ppm: int) -> str:
        return f"{_shortest(Decimal(ppm) * 100 / PPM):f} %"

    def day(self, epoch_day: int | None) -> str:
        return NONE if epoch_day is None else str((_EPOCH + dt.timedelta(days=epoch_day)).date())

    def moment(self, time_ms: int | None) -> str:
        if time_ms is None:
            return NONE
        return (_EPOCH + dt.timedelta(milliseconds=time_ms)).astimezone(self._zone).replace(tzinfo=None).isoformat()

    def duration(self, duration: Duration | None) -> str:
        if duration is None:
            return NONE
        parts = ((duration.months, "month"), (duration.days, "day"))
        return " ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in parts if count) or "0 days"

    def window(self, window: Window) -> str:
        if window.this is not None:
            return f"this {window.this}"
        return "lifetime" if window.duration is None else self.duration(window.duration)

    def scalar(self, value: Scalar) -> str:
        match value:
            case Money():
                return self.money(value)
            case Number():
                return self.number(value.millionths)
            case Day():
                return self.day(value.epoch_day)
            case Moment():
                return self.moment(value.time_ms)
            case bool():
                return "true" if value else "false"
            case str():
                return self.text(value)

    def text(self, text: str) -> str:
        is_plain = _PLAIN.fullmatch(text) is not None and text not in _WORDS
        return text if is_plain else json.dumps(text, ensure_ascii=False)

    def condition(self, condition: Condition | None) -> str:
        match condition:
            case None:
                return NONE
            case Comparison():
                literal = condition.literal
                if literal is None:
                    return f"{condition.path} {condition.operator}"
                if isinstance(literal, tuple):
                    return f"{condition.path} {condition.operator} [{', '.join(map(self.scalar, literal))}]"
                return f"{condition.path} {condition.operator} {self.scalar(literal)}"
            case Not():
                return f"not ({self.condition(condition.condition)})"
            case AllOf() | AnyOf():
                word = " and " if isinstance(condition, AllOf) else " or "
                return word.join(
                    f"({self.condition(each)})" if isinstance(each, AllOf | AnyOf) else self.condition(each)
                    for each in condition.conditions
                )

    def given(self, given: Given | None) -> str:
        if given is None:
            return "nothing"
        if isinstance(given, Money):
            return self.money(given)
        return f"{self.percent(given.percent_ppm)} of {given.of}"

    def give(self, give: Give | None) -> str:
        match give:
            case Lookup():
                lines = sorted((key, given) for key, given in give.values if given != give.otherwise)
                shown = [f"{self.text(key)}: {self.given(given)}" for key, given in lines]
                return self._by([give.by], shown, give.otherwise)
            case Rows():
                shown = [
                    f"[{', '.join('any' if each is None else self.text(each) for each in row.values)}]: "
                    f"{self.given(row.given)}"
                    for row in give.rows
                ]
                return self._by(give.by, shown, give.otherwise)
            case Brackets():
                shown = [f"from {self.scalar(each.at)}: {self.given(each.given)}" for each in give.brackets]
                return self._by([give.by], shown, give.otherwise) + (", marginal" if give.marginal else "")
            case _:
                return self.given(give)

    def limits(self, limits: Iterable[Limit]) -> str:
        return ", ".join(sorted({self.limit(limit) for limit in limits})) or NONE

    def limit(self, limit: Limit) -> str:
        what = str(limit.count) if limit.amount is None else self.money(limit.amount)
        return f"{what} ever" if limit.per == "ever" else f"{what} per {limit.per}"

    def _by(self, by: Iterable[str], lines: list[str], otherwise: Given | None) -> str:
        end = [] if otherwise is None else [f"otherwise: {self.given(otherwise)}"]
        return f"by {' and '.join(by)} {{{', '.join([*lines, *end])}}}"


def _grouped(number: Decimal) -> str:
    """Thousands as rule files group them: 1_000.5."""
    return f"{number:,f}".replace(",", "_")


def _shortest(number: Decimal) -> Decimal:
    """Without zeros at the end: 7.50 is 7.5."""
    return number.quantize(Decimal(1)) if number % 1 == 0 else number.normalize()
