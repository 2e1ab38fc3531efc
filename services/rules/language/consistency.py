"""Conditions against each other: what can never hold together, and what one tier takes from another.

Only what is certain is told: comparisons of one path in one list. Amounts in different currencies are left alone,
because their order depends on the day's rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.money import Money
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, Number, Tier
from services.rules.language.checks import always_false, unreachable_tier
from services.rules.language.located import Span
from services.rules.language.scope import Scope
from services.rules.language.source import TextNode

PAIRS_MAX: Final = 10_000
"""Comparisons of comparisons in one list, so that a hostile list costs no square."""

_ORDER: Final = ("==", "<", "<=", ">", ">=")


def refuse_contradictions(condition: Condition | None, scope: Scope) -> None:
    """Note comparisons that cannot hold together with an earlier one of the same list."""
    if condition is None or isinstance(condition, Not):
        return
    if isinstance(condition, AnyOf):
        for each in condition.conditions:
            refuse_contradictions(each, scope)
        return
    by_path: dict[str, list[Comparison]] = {}
    pairs = 0
    for comparison in _needed(condition):
        earlier = by_path.setdefault(comparison.path, [])
        pairs += len(earlier)
        if pairs > PAIRS_MAX:
            return
        clash = next((other for other in earlier if _exclude(other, comparison)), None)
        if clash is not None:
            scope.add(span_of(comparison), always_false.fault(comparison.text, clash.text))
        earlier.append(comparison)
    for each in _groups(condition):
        refuse_contradictions(each, scope)


def refuse_unreachable_tiers(tiers: Sequence[Tier], ids: Sequence[TextNode], scope: Scope) -> None:
    """Note tiers that a later one always passes over, because it asks for no more."""
    needed = [list(_needed(tier.when)) if tier.when else None for tier in tiers]
    for index, (tier, mine) in enumerate(zip(tiers, needed, strict=True)):
        if mine is None or index == 0:
            continue
        for later, theirs in zip(tiers[index + 1 :], needed[index + 1 :], strict=True):
            if later.when is None or theirs is None or not _is_plain(later.when):
                continue
            if len(mine) * len(theirs) > PAIRS_MAX:
                return
            if all(any(_implies(one, other) for one in mine) for other in theirs):
                scope.add(ids[index].span, unreachable_tier.fault(tier.id, later.id))
                break


def span_of(comparison: Comparison) -> Span:
    return Span(comparison.line, comparison.column, len(comparison.text))


def _needed(condition: Condition) -> Iterator[Comparison]:
    """The comparisons that must hold for the condition to hold."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, AllOf):
        for each in condition.conditions:
            yield from _needed(each)


def _groups(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, AllOf):
        for each in condition.conditions:
            if isinstance(each, AnyOf):
                yield each
            elif isinstance(each, AllOf):
                yield from _groups(each)


def _is_plain(condition: Condition) -> bool:
    """Whether the condition is nothing but comparisons that must all hold."""
    return isinstance(condition, Comparison) or (
        isinstance(condition, AllOf) and bool(condition.conditions) and all(map(_is_plain, condition.conditions))
    )


def _size(comparison: Comparison) -> tuple[int, str] | None:
    literal = comparison.literal
    if comparison.operator not in _ORDER:
        return None
    if isinstance(literal, Money):
        return literal.amount_minor, literal.unit
    return (literal.millionths, "") if isinstance(literal, Number) else None


def _exclude(one: Comparison, other: Comparison) -> bool:
    """Whether both comparisons of one path can never hold together."""
    operators = {one.operator, other.operator}
    if "missing" in operators:
        return operators != {"missing"}
    if one.operator == "==" and other.operator == "==":
        is_money = isinstance(one.literal, Money) and isinstance(other.literal, Money)
        if is_money and one.literal.unit != other.literal.unit:  # type: ignore[union-attr]
            return False
        return type(one.literal) is type(other.literal) and one.literal != other.literal
    if operators == {"==", "!="}:
        return one.literal == other.literal
    if operators == {"==", "in"}:
        single, several = (one, other) if one.operator == "==" else (other, one)
        return isinstance(single.literal, str) and single.literal not in (several.literal or ())  # type: ignore[operator]
    return _ranges_exclude(one, other)


def _ranges_exclude(one: Comparison, other: Comparison) -> bool:
    first, second = _size(one), _size(other)
    if first is None or second is None or first[1] != second[1]:
        return False
    (low, low_open), (high, high_open) = _range(one, first[0])
    (low_2, low_2_open), (high_2, high_2_open) = _range(other, second[0])
    return _empty(low, high_2, low_open or high_2_open) or _empty(low_2, high, low_2_open or high_open)


def _range(comparison: Comparison, size: int) -> tuple[tuple[int | None, bool], tuple[int | None, bool]]:
    """Lower and upper bound, each with whether it is itself outside."""
    low = (size, comparison.operator == ">") if comparison.operator in (">", ">=", "==") else (None, False)
    high = (size, comparison.operator == "<") if comparison.operator in ("<", "<=", "==") else (None, False)
    return low, high


def _empty(low: int | None, high: int | None, is_open: bool) -> bool:
    return low is not None and high is not None and (low > high or (low == high and is_open))


def _implies(one: Comparison, other: Comparison) -> bool:
    """Whether `other` holds whenever `one` does."""
    if one.path != other.path:
        return False
    if (one.operator, one.literal) == (other.operator, other.literal):
        return True
    first, second = _size(one), _size(other)
    if first is None or second is None or first[1] != second[1]:
        return False
    if one.operator in (">", ">=", "==") and other.operator in (">", ">="):
        return first[0] > second[0] or (first[0] == second[0] and not (one.operator != ">" and other.operator == ">"))
    if one.operator in ("<", "<=", "==") and other.operator in ("<", "<="):
        return first[0] < second[0] or (first[0] == second[0] and not (one.operator != "<" and other.operator == "<"))
    return False
