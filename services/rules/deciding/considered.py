"""Which rewards an event makes us consider, so that a thousand rules cost what could match and not what there is.

Up to `DENIALS_PER_EVENT_MAX` rewards on one event type, all are considered, and each gives a decision, granted or
denied. Beyond that, the tests of text that stand at the top of a `when` (`deal.product == GTX Pro`, `attributes.office
in [East, West]`) select the rewards that could match; the ones they rule out give no decision of their own (`goodword
rules explain` shows them by judging again).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Generic, TypeVar

from contracts.ruleset import AllOf, Comparison, Condition

DENIALS_PER_EVENT_MAX: Final = 16
SELECTIONS_MAX: Final = 4096
"""Selections remembered per event type."""
Rule = TypeVar("Rule")


class Considered(Generic[Rule]):
    """The rewards of one event type, in file order, and which of them a combination of texts leaves.

    Attributes:
        tests: Path, bits of the rewards that each text allows, bits of those that do not ask for the path. The bits of
            all paths ANDed make the mask that `choose` wants. Empty when all rewards are considered always.
        chosen: Masks that were asked for before, with what was chosen.
    """

    def __init__(self, rules: Sequence[Rule], conditions: Sequence[Condition | None]) -> None:
        self.rules = tuple(rules)
        self.tests: list[tuple[str, dict[str, int], int]] = []
        self.chosen: dict[int, tuple[Rule, ...]] = {}
        if len(rules) > DENIALS_PER_EVENT_MAX:
            tests = [dict(_text_tests(condition)) for condition in conditions]
            self.tests = [(path, *_masks(path, tests)) for path in sorted({path for each in tests for path in each})]

    def choose(self, mask: int) -> tuple[Rule, ...]:
        """The rewards that could match."""
        if len(self.chosen) >= SELECTIONS_MAX:
            self.chosen.clear()
        chosen = self.chosen[mask] = tuple(self.rules[bit] for bit in _bits(mask & (1 << len(self.rules)) - 1))
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
