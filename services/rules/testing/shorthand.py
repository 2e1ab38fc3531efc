"""What a test writes (`deal.amount: 1_000 USD`, `partner.groups: [pilots]`) as the values that events carry.

Facts that a test does not write have no value, also where a real event must have one: a rule that needs one says so in
its denial, and no default can decide anything. The exceptions are ids (docs/rules.md#tests).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.errors import PermanentError, Problem
from contracts.events import Amount
from contracts.money import PPM, Money, is_currency
from contracts.ruleset import Number, RuleSet
from services.rules.language.located import Fault
from services.rules.language.paths import known_path
from services.rules.language.values import read_amount, read_number, read_start_ms

DISTINCT_MAX: Final = 200_000
"""Different values that all tests of a file can give together: each is made."""
_MS_PER_S: Final = 1_000
_ALONE: Final = frozenset({"tier", "member"})


class UnusableTest(PermanentError):
    """A test that cannot be run as it is written: neither passed nor failed."""

    def __init__(self, message: str) -> None:
        super().__init__(Problem(code="unusable-test", message=message))


class Shorthand:
    """Reads the values of one rule set's tests.

    Attributes:
        decimals: Of the programme's own units.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.zone = ZoneInfo(rules.timezone)
        self.decimals = {unit.id: unit.decimals for unit in rules.units}
        self.metrics = {metric.id: metric for metric in rules.metrics}
        self._distinct_count = 0

    def sections(self, facts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """Facts by the part of an event they belong to; `member` and `tier` stand alone, under the empty name."""
        sections: dict[str, dict[str, Any]] = {}
        for path, text in facts.items():
            section, _, field = path.partition(".")
            if path in self.metrics:
                raise UnusableTest(f"{path} is a metric: an event cannot carry it, write it under given")
            if path in _ALONE:
                section, field = "", path
            sections.setdefault(section, {})[field] = self.value(path, text)
        return sections

    def value(self, path: str, text: str) -> Any:
        """The value as an event carries it."""
        known = known_path(path)
        if known is None:
            raise UnusableTest(f"there is no path {path}")
        match known.type:
            case "amount":
                return self.currency_amount(path, text)
            case "number":
                return self.whole(path, text)
            case "time":
                return datetime.fromtimestamp(self.time_ms(text) // _MS_PER_S, UTC)
            case "flag":
                return text == "true"
            case "texts":
                return [item.strip() for item in text.removeprefix("[").removesuffix("]").split(",") if item.strip()]
            case "attribute":
                return _attribute(text)
        return text

    def currency_amount(self, path: str, text: str) -> Amount:
        money = self.money(path, text)
        if not is_currency(money.unit):
            raise UnusableTest(f"{path} is in a currency, and {money.unit} is none")
        return Amount(minor=money.amount_minor, currency=money.unit)

    def money(self, path: str, text: str) -> Money:
        money = read_amount(text, self.decimals)
        if isinstance(money, Fault):
            raise UnusableTest(f"{path}: {money.message}")
        return money

    def number(self, path: str, text: str) -> Number:
        number = read_number(text)
        if isinstance(number, Fault):
            raise UnusableTest(f"{path}: {number.message}")
        return number

    def whole(self, path: str, text: str) -> int:
        whole, rest = divmod(self.number(path, text).millionths, PPM)
        if rest:
            raise UnusableTest(f"{path} is a whole number, and {text} is none")
        return whole

    def count_distinct(self, path: str, count: int) -> None:
        """Note that so many different values are made for a metric."""
        self._distinct_count += count
        if self._distinct_count > DISTINCT_MAX:
            raise UnusableTest(f"{path}: the tests of one file give at most {DISTINCT_MAX} different values together")

    def time_ms(self, text: str) -> int:
        time_ms = read_start_ms(text, self.zone)
        if isinstance(time_ms, Fault):
            raise UnusableTest(f"time: {time_ms.message}")
        return time_ms


def _attribute(text: str) -> str | int | bool:
    """Senders write yes, no and whole numbers as such; all else is text."""
    if text in ("true", "false"):
        return text == "true"
    number = read_number(text)
    if isinstance(number, Number) and number.millionths % PPM == 0:
        return number.millionths // PPM
    return text
