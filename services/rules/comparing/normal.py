"""Conditions in a form in which those that mean the same are the same.

`not` is pushed down to the comparisons (Kleene logic keeps De Morgan's laws), lists of one are what is in them, lists
within lists of their kind are one, and neither order nor repetition counts. Comparisons of attributes are not turned
round: whether an attribute is a number is only known when it arrives.
"""

from __future__ import annotations

from typing import Final

from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, Operator, Scalar
from services.rules.comparing.notation import Notation
from services.rules.language.logic import OPPOSITE

# `a == 1` or `a == 2` is `a in [1, 2]`; `a != 1` and `a != 2` is `a not in [1, 2]`.
_ONE_TO_MANY: Final[dict[Operator, Operator]] = {"==": "in", "!=": "not in"}


def normal(condition: Condition, notation: Notation, *, is_negated: bool = False) -> Condition:
    match condition:
        case Not():
            return normal(condition.condition, notation, is_negated=not is_negated)
        case Comparison():
            return _comparison(condition, notation, is_negated=is_negated)
        case AllOf() | AnyOf():
            kind: type[AllOf | AnyOf] = AllOf if isinstance(condition, AllOf) is not is_negated else AnyOf
            parts: list[Condition] = []
            for each in condition.conditions:
                part = normal(each, notation, is_negated=is_negated)
                parts.extend(part.conditions if isinstance(part, AllOf | AnyOf) and type(part) is kind else (part,))
            found = {notation.condition(each): each for each in _merged(parts, kind, notation)}
            ordered = tuple(found[text] for text in sorted(found))
            return ordered[0] if len(ordered) == 1 else kind(ordered)


def _comparison(comparison: Comparison, notation: Notation, *, is_negated: bool) -> Condition:
    operator, literal = comparison.operator, comparison.literal
    if isinstance(literal, tuple):
        operator, literal = _list(operator, literal, notation)
    is_turned = is_negated and operator in OPPOSITE and (literal is None or not _is_attribute(comparison))
    if is_turned:
        operator = OPPOSITE[operator]
    bare = Comparison(path=comparison.path, operator=operator, literal=literal, text="")
    return Not(bare) if is_negated and not is_turned else bare


def _list(
    operator: Operator, literal: tuple[Scalar, ...], notation: Notation
) -> tuple[Operator, Scalar | tuple[Scalar, ...]]:
    found = {notation.scalar(each): each for each in literal}
    ordered = tuple(found[text] for text in sorted(found))
    if len(ordered) == 1:
        return ("==" if operator == "in" else "!="), ordered[0]
    return operator, ordered


def _merged(parts: list[Condition], kind: type[AllOf | AnyOf], notation: Notation) -> list[Condition]:
    one: Operator = "==" if kind is AnyOf else "!="
    many = _ONE_TO_MANY[one]
    merged: list[Condition] = []
    values: dict[str, list[Scalar]] = {}
    for part in parts:
        if isinstance(part, Comparison) and part.operator in (one, many) and not _is_attribute(part):
            assert part.literal is not None
            values.setdefault(part.path, []).extend(
                part.literal if isinstance(part.literal, tuple) else (part.literal,)
            )
        else:
            merged.append(part)
    for path, literals in values.items():
        operator, literal = _list(many, tuple(literals), notation)
        merged.append(Comparison(path=path, operator=operator, literal=literal, text=""))
    return merged


def _is_attribute(comparison: Comparison) -> bool:
    return comparison.path.startswith("attributes.")


def paths_in(condition: Condition | None) -> set[str]:
    """Every path that the condition reads."""
    match condition:
        case None:
            return set()
        case Comparison():
            return {condition.path}
        case Not():
            return paths_in(condition.condition)
        case AllOf() | AnyOf():
            return {path for each in condition.conditions for path in paths_in(each)}
