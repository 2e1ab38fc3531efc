"""Conditions: from YAML nodes to trees of comparisons, each checked against the type of its path.

`path operator literal`, one per line; a list means all; `all:`, `any:` and `not:` nest. What unknown values do is
the evaluator's business (docs/rules.md#conditions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, Operator
from services.rules.language.checks import (
    broken_condition,
    conditions_too_deep,
    empty_conditions,
    file_over_limit,
    list_in_flow_sequence,
    path_not_here,
    unknown_operator,
    unknown_path,
    wrong_operator,
    wrong_shape,
)
from services.rules.language.literals import Literals
from services.rules.language.located import Fault
from services.rules.language.paths import TYPE_WORDS, PathType, can_be_in, known_path
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, MapNode, Node, TextNode
from services.rules.language.words import quoted

DEPTH_MAX: Final = 8
"""Levels of `all`, `any` and `not`."""
COMPARISONS_MAX: Final = 10_000
"""Of a whole file; two thousand rewards with five each."""

_EQUALITY: Final = ("==", "!=")
_ORDER: Final = ("<", "<=", ">", ">=")
_LISTS: Final = ("in", "not in")
_PRESENCE: Final = ("exists", "missing")

OPERATORS_OF: Final[dict[PathType, tuple[str, ...]]] = {
    "text": (*_EQUALITY, *_LISTS, "contains", "starts_with", *_PRESENCE),
    "texts": ("contains", *_PRESENCE),
    "number": (*_EQUALITY, *_ORDER, *_LISTS, *_PRESENCE),
    "amount": (*_EQUALITY, *_ORDER, *_LISTS, *_PRESENCE),
    "time": (*_EQUALITY, *_ORDER, *_PRESENCE),
    "flag": (*_EQUALITY, *_PRESENCE),
    "attribute": unknown_operator.OPERATORS,
}
"""Type of a path to the operators that fit it."""

_PATH: Final = re.compile(r"[^\s<>=!]+")
_OPERATOR: Final = re.compile(r"not\s+in(?=\s|\[|$)|[<>=!≤≥≠]+|[^\s\[\"]+")
_GROUPS: Final = ("all", "any", "not")


@dataclass(frozen=True, slots=True)
class Place:
    """Where conditions stand, for what they may read there.

    Attributes:
        name: For messages: `when`, `eligible.partner`.
        on: The event types they are judged on, when those are known.
        is_tier: Whether they say when a tier is reached.
    """

    name: str
    on: tuple[str, ...] = ()
    is_tier: bool = False


def read_conditions(node: Node, scope: Scope, place: Place, depth: int = 0) -> Condition | None:
    """The condition tree, or None when nothing of it can be used; all faults are noted in the scope.

    `depth` is how many groups are open around this node.
    """
    if isinstance(node, TextNode):
        return read_comparison(node, scope, place)
    is_group = isinstance(node, MapNode)
    if depth > DEPTH_MAX or (is_group and depth == DEPTH_MAX):
        scope.add(node.span, conditions_too_deep.fault(DEPTH_MAX))
        return None
    if isinstance(node, MapNode):
        return _read_group(node, scope, place, depth)
    if not node.items:
        scope.add(node.span, empty_conditions.fault())
        return None
    return AllOf(tuple(each for each in _read_items(node, scope, place, depth) if each is not None))


def _read_items(node: ListNode, scope: Scope, place: Place, depth: int) -> list[Condition | None]:
    # A list right inside a list is a group that only lacks the word `all`.
    return [read_conditions(item, scope, place, depth + isinstance(item, ListNode)) for item in node.items]


def _read_group(node: MapNode, scope: Scope, place: Place, depth: int) -> Condition | None:
    if len(node.entries) != 1 or node.entries[0][0].text not in _GROUPS:
        _explain_group(node, scope)
        return None
    key, value = node.entries[0]
    if isinstance(value, ListNode):
        if not value.items:
            scope.add(value.span, empty_conditions.fault())
            return None
        read = _read_items(value, scope, place, depth + 1)
        items = tuple(each for each in read if each is not None)
        # Of a choice with one part unread nobody knows what it asks for.
        return _group_of(key.text, items) if key.text == "all" or len(items) == len(read) else None
    inner = read_conditions(value, scope, place, depth + 1)
    if inner is None:
        return None
    return Not(inner) if key.text == "not" else _group_of(key.text, (inner,))


def _group_of(word: str, items: tuple[Condition, ...]) -> Condition:
    if word == "any":
        return AnyOf(items)
    return AllOf(items) if word == "all" else Not(AllOf(items))


def _explain_group(node: MapNode, scope: Scope) -> None:
    if not node.entries:
        scope.add(node.span, empty_conditions.fault())
        return
    for key, value in node.entries:
        if re.search(r"\sin$|\sin\s*\[", key.text) or (key.text in ("in", "not in") and isinstance(value, ListNode)):
            scope.add(key.span, list_in_flow_sequence.fault())
        elif key.text not in _GROUPS:
            colon = ' ": " makes a key of it: put the whole condition in single quotes' if " " in key.text else ""
            scope.add(
                key.span,
                broken_condition.fault(
                    f"{quoted(key.text)} is not all, any or not",
                    colon.strip() or "a condition is one text, such as deal.amount >= 500 USD",
                ),
            )
    if all(key.text in _GROUPS for key, _ in node.entries):
        scope.add(
            node.entries[1][0].span,
            broken_condition.fault("one mapping has one of all, any and not", "write each after a dash of its own"),
        )


def read_comparison(node: TextNode, scope: Scope, place: Place) -> Comparison | None:
    """One `path operator literal`."""
    scope.comparisons_count += 1
    if scope.comparisons_count > COMPARISONS_MAX:
        if scope.comparisons_count == COMPARISONS_MAX + 1:
            scope.add(node.span, file_over_limit.too_many("conditions", COMPARISONS_MAX))
        return None
    text = node.text
    if not text.strip():
        scope.add(node.span, broken_condition.fault("there is no condition here"))
        return None
    path_found = _PATH.match(text, len(text) - len(text.lstrip()))
    if path_found is None:
        scope.add(node.span, broken_condition.fault("a condition begins with a path"))
        return None
    path = path_found.group()
    type = _checked_type(path, node, path_found.start(), scope, place)
    rest = text[path_found.end() :]
    operator_at = path_found.end() + len(rest) - len(rest.lstrip())
    operator_found = _OPERATOR.match(text, operator_at)
    if operator_found is None:
        scope.add(node.span, broken_condition.fault(f"there is no operator after {path}"))
        return None
    written = operator_found.group()
    operator = " ".join(written.split())
    if operator not in unknown_operator.OPERATORS:
        scope.add(node.part(operator_at, len(written)), unknown_operator.fault(operator))
        return None
    if operator == "missing" and text[operator_found.end() :].split()[:1] == ["for"]:
        scope.add(node.part(operator_at, len(text) - operator_at), unknown_operator.missing_for())
        return None
    if type is None:
        return None
    if operator not in OPERATORS_OF[type]:
        scope.add(
            node.part(operator_at, len(written)),
            wrong_operator.fault(operator, path, TYPE_WORDS[type], OPERATORS_OF[type])
            if path != "tier"
            else wrong_operator.for_tier(operator),
        )
        return None
    literal_at = operator_found.end()
    literal_at += len(text[literal_at:]) - len(text[literal_at:].lstrip())
    literal = Literals(scope, node, path, type).read(operator, text[literal_at:].rstrip(), literal_at)
    if isinstance(literal, Fault):
        return None
    return Comparison(
        path=path,
        operator=cast("Operator", operator),
        literal=literal,
        text=" ".join(text.split()),
        line=node.span.line,
        column=node.start,
    )


def _checked_type(path: str, node: TextNode, offset: int, scope: Scope, place: Place) -> PathType | None:
    if path in scope.unread.metrics and known_path(path) is None:
        return None
    type = scope.type_of(path)
    span = node.part(offset, len(path))
    if type is None:
        at, length, fault = scope.explain_unknown(path)
        scope.add(node.part(offset + at, length), fault)
        return None
    if path == "tier" and scope.has_no_tiers():
        scope.add(span, unknown_path.no_tiers())
        return None
    if place.is_tier:
        metric = scope.metrics.get(path)
        if metric is not None and metric.per_customer:
            scope.add(span, path_not_here.per_customer_in_tier(path))
        elif metric is None and not path.startswith("partner.") and path != "tier":
            scope.add(span, path_not_here.in_tier(path))
    elif place.on and not any(can_be_in(path, each) for each in place.on):
        scope.add(span, path_not_here.never_in(path, place.on))
    return type


def expect_conditions(node: Node, scope: Scope, place: Place) -> Condition | None:
    """As `read_conditions`, but a key without a value is told as such."""
    if isinstance(node, TextNode) and node.is_nothing:
        scope.add(node.span, wrong_shape.fault(place.name, "a condition or a list of them", "empty"))
        return None
    return read_conditions(node, scope, place)
