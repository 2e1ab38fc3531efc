"""Conditions against each other: what can never hold together, and what one tier takes from another.

Only what is certain is told; services/rules/language/logic.py says what that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.ruleset import Comparison, Condition, Tier
from services.rules.language.checks import always_false, unreachable_tier
from services.rules.language.located import Span
from services.rules.language.logic import Fact, Tree, all_follow, can_hold, choices, is_plain, needed, without_not
from services.rules.language.scope import Scope
from services.rules.language.source import TextNode

TOGETHER_MAX: Final = 16
"""So many comparisons of one path are looked at together, and not only two by two."""


def refuse_contradictions(condition: Condition | None, scope: Scope) -> None:
    """Note comparisons that cannot hold together with an earlier one that must hold too."""
    if condition is not None:
        _Contradictions(scope).walk(tree_of(condition, scope), {})


def refuse_unreachable_tiers(tiers: Sequence[Tier], ids: Sequence[TextNode], scope: Scope) -> None:
    """Note tiers that a later one always passes over, because it asks for no more."""
    trees = [tree_of(tier.when, scope) if tier.when is not None else None for tier in tiers]
    for index, (tier, tree) in enumerate(zip(tiers, trees, strict=True)):
        if tree is None or index == 0:
            continue
        mine = list(needed(tree))
        for later, other in zip(tiers[index + 1 :], trees[index + 1 :], strict=True):
            if other is None or not is_plain(other):
                continue
            theirs = list(needed(other))
            if not scope.effort.allows(mine, theirs):
                return
            if all_follow(mine, theirs):
                scope.add(ids[index].span, unreachable_tier.fault(tier.id, later.id))
                break


def tree_of(condition: Condition, scope: Scope) -> Tree:
    return without_not(condition, scope.counts)


def span_of(comparison: Comparison) -> Span:
    return Span(comparison.line, comparison.column, len(comparison.text))


class _Contradictions:
    """Walks one condition; of a group under `any` each part for itself, beside what must hold around it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def walk(self, tree: Tree, around: dict[str, list[Fact]]) -> None:
        facts = {path: list(known) for path, known in around.items()}
        for fact in needed(tree):
            earlier = facts.setdefault(fact.path, [])
            if not self._scope.effort.allows((fact,), (fact, *earlier)):
                return
            self._compare(fact, earlier)
            earlier.append(fact)
        for group in choices(tree):
            for part in group.parts:
                self.walk(part, facts)

    def _compare(self, fact: Fact, earlier: Sequence[Fact]) -> None:
        if not can_hold((fact,)):
            self._scope.add(span_of(fact.comparison), always_false.alone(fact.text))
            return
        clash = next((other for other in earlier if not can_hold((other, fact))), None)
        if clash is not None:
            self._scope.add(span_of(fact.comparison), always_false.fault(fact.text, clash.text))
        elif len(earlier) in range(2, TOGETHER_MAX) and can_hold(earlier) and not can_hold((*earlier, fact)):
            self._scope.add(span_of(fact.comparison), always_false.together(fact.text, [each.text for each in earlier]))
