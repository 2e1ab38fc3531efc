"""Values and conditions of a rule file, read from its text: amounts, metrics, comparisons, Kleene logic."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Any

import yaml

from tests.simulation.oracle.memory import Moment, Taken
from tests.simulation.oracle.spans import window_start

Amount = tuple[int, str]
_COMPARISON = re.compile(r"(\S+)\s+(==|!=|<=|>=|<|>|not in|in|contains|starts_with|exists|missing)\s*(.*)")
_PPM = 1_000_000


class RuleFile:
    """A rule set as YAML has it: every scalar a text."""

    def __init__(self, text: str) -> None:
        self.rules: dict[str, Any] = yaml.load(text, yaml.BaseLoader)
        self.units = {unit: int((of or {}).get("decimals", 0)) for unit, of in self.rules.get("units", {}).items()}
        self.metrics: dict[str, dict[str, Any]] = self.rules.get("metrics", {})

    def amount(self, text: str) -> Amount:
        number, unit = text.replace("_", "").split()
        minor = Fraction(number) * 10 ** self.units.get(unit, 2)
        assert minor.denominator == 1, text
        return int(minor), unit

    def value(self, path: str, at: Moment) -> Any:
        """What a condition sees at the path; None: nothing."""
        if path == "tier":
            return at.tier
        if path in self.metrics:
            return self.metric(path, at)
        return at.seen.get(path)

    def metric(self, name: str, at: Moment) -> Any:
        metric = self.metrics[name]
        is_per_customer = metric.get("per") == "customer"
        if is_per_customer and at.customer is None:
            return None
        first = window_start(metric.get("over"), at.day)
        rows = [
            each
            for each in at.memory.taken
            if first <= each.day <= at.day and (not is_per_customer or each.seen.get("customer.id") == at.customer)
        ]
        if "count" in metric:
            return sum(each.what in listed(metric["count"]) for each in rows)
        (kind,) = {"sum", "distinct", "mean"} & metric.keys()
        values = [
            value
            for each in rows
            if each.what in listed(metric["on"]) and (value := _taken(each, metric[kind])) is not None
        ]
        if kind == "distinct":
            return len(set(values))
        if kind == "mean":
            return Fraction(sum(values), len(values)) if values else None
        return sum(values) - sum(_taken(each, metric[kind]) or 0 for each in rows if each.what == metric.get("minus"))

    def ever(self, name: str, at: Moment) -> int:
        """A metric without a window, over all days."""
        return self.metric(name, at._replace(day=date.max)) or 0

    def holds(self, condition: Any, at: Moment) -> bool | None:
        """None: unknown."""
        if isinstance(condition, list):
            condition = {"all": condition}
        if isinstance(condition, str):
            return self._compares(condition, at)
        ((how, inner),) = condition.items()
        if how == "not":
            held = self.holds(inner, at)
            return None if held is None else not held
        held_by = [self.holds(each, at) for each in inner]
        decisive: bool = how == "any"
        if decisive in held_by:
            return decisive
        return None if None in held_by else bool(not decisive)

    def _compares(self, text: str, at: Moment) -> bool | None:
        path, operator, literal = _COMPARISON.fullmatch(text).groups()  # type: ignore[union-attr] # files of ours
        value = self.value(path, at)
        if operator in {"exists", "missing"}:
            return (value is not None) == (operator == "exists")
        if value is None:
            return None
        if operator in {"in", "not in"}:
            is_in = value in [self.literal(each.strip(), value) for each in literal.strip("[]").split(",")]
            return bool(is_in == (operator == "in"))
        wanted = self.literal(literal, value)
        if operator in {"contains", "starts_with"}:
            return bool(wanted in value if operator == "contains" else value.startswith(wanted))
        if isinstance(value, tuple):
            # One currency here; amounts in others are a matter of rates.
            assert value[1] == wanted[1], text
            value, wanted = value[0], wanted[0]
        return bool(
            {
                "==": lambda: value == wanted,
                "!=": lambda: value != wanted,
                "<": lambda: value < wanted,
                "<=": lambda: value <= wanted,
                ">": lambda: value > wanted,
                ">=": lambda: value >= wanted,
            }[operator]()
        )

    def literal(self, text: str, value: Any) -> Any:
        """The literal as what it is compared with."""
        if isinstance(value, tuple):
            return self.amount(text)
        if isinstance(value, int | Fraction):
            return Fraction(self.amount(text)[0]) if " " in text else Fraction(text.replace("_", ""))
        return text.strip('"')


def _taken(each: Taken, path: str) -> Any:
    """What a metric takes: of an amount the share, in minor units."""
    value = each.seen.get(path)
    return shared(value[0], each.seen["share"]) if isinstance(value, tuple) else value


def shared(minor: int, share_ppm: int) -> int:
    return round(Fraction(minor * share_ppm, _PPM))


def listed(one_or_more: str | list[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more
