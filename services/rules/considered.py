"""Which rewards an event makes us consider, so that a thousand rules cost what could match and not what there is.

Up to `DENIALS_PER_EVENT_MAX` rewards on one event type, all are considered, and each gives a decision, granted or
denied. Beyond that, the tests of text that stand at the top of a `when` (`deal.product == GTX Pro`, `attributes.office
in [East, West]`) select the rewards that could match; the ones they rule out give no decision of their own (`goodword
rules explain` shows them by judging again).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.ruleset import AllOf, Comparison, Condition, Reward
from services.rules.amounts import AmountRule
from services.rules.conditions import Judge
from services.rules.decide import rule_json
from services.rules.slots import Slots

DENIALS_PER_EVENT_MAX: Final = 16
SELECTIONS_MAX: Final = 4096
"""Selections remembered per event type."""


class RewardRule:
    """One reward, compiled."""

    __slots__ = ("amount", "id", "json", "on", "to", "when")

    def __init__(self, reward: Reward, when: Judge | None, amount: AmountRule) -> None:
        self.id = reward.id
        self.json = rule_json(reward.id)
        self.on = reward.on
        self.to = reward.to
        self.when = when
        self.amount = amount


class Considered:
    """The rewards of one event type, in file order."""

    def __init__(
        self, rules: Sequence[RewardRule], conditions: Sequence[Condition | None], slot_of: dict[str, int]
    ) -> None:
        self.rules = tuple(rules)
        self._masks: list[tuple[int, dict[str, int], int]] = []
        self._chosen: dict[int, tuple[RewardRule, ...]] = {}
        if len(rules) > DENIALS_PER_EVENT_MAX:
            tests = [dict(_text_tests(condition)) for condition in conditions]
            for path in sorted({path for each in tests for path in each}):
                self._masks.append((slot_of[path], *_masks(path, tests)))

    def select(self, x: Slots) -> tuple[RewardRule, ...]:
        """The rewards that could match what the slots show."""
        if not self._masks:
            return self.rules
        mask = -1
        for slot, by_value, others in self._masks:
            value = x[slot]
            # A number that a sender put into an attribute is compared as text with a text.
            mask &= by_value.get(str(value) if value.__class__ is int else value, others)
        chosen = self._chosen.get(mask)
        if chosen is None:
            if len(self._chosen) >= SELECTIONS_MAX:
                self._chosen.clear()
            chosen = self._chosen[mask] = tuple(self.rules[bit] for bit in _bits(mask))
        return chosen


def _bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, from the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _masks(path: str, tests: list[dict[str, frozenset[str]]]) -> tuple[dict[str, int], int]:
    """Value to the bits of the rewards that allow it, and the bits of those that do not ask for this path."""
    others = sum(1 << bit for bit, test in enumerate(tests) if path not in test)
    by_value: dict[str, int] = {}
    for bit, test in enumerate(tests):
        for value in test.get(path, ()):
            by_value[value] = by_value.get(value, others) | 1 << bit
    return by_value, others


def _text_tests(condition: Condition | None) -> list[tuple[str, frozenset[str]]]:
    """The texts that each path tested at the top must be one of."""
    if condition is None:
        return []
    top = condition.conditions if isinstance(condition, AllOf) else (condition,)
    tests: dict[str, frozenset[str]] = {}
    for each in top:
        if isinstance(each, Comparison):
            values = _allowed(each)
            if values is not None:
                tests[each.path] = tests.get(each.path, values) & values
    return list(tests.items())


def _allowed(comparison: Comparison) -> frozenset[str] | None:
    """The texts that meet the comparison; None when it is not a plain test of text."""
    literal = comparison.literal
    if comparison.operator == "==" and isinstance(literal, str):
        return frozenset((literal,))
    if comparison.operator == "in" and isinstance(literal, tuple) and all(isinstance(each, str) for each in literal):
        return frozenset(each for each in literal if isinstance(each, str))
    return None
