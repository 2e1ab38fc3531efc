"""Lookups by a number: brackets, each from its lower bound on, and their marginal form."""

from __future__ import annotations

from contracts.money import Money, is_currency
from contracts.ruleset import Bracket, Brackets, Given, Number, PercentOf, givens_of
from services.rules.language.checks import (
    missing_otherwise,
    overlapping_brackets,
    unreadable_value,
    wrong_lookup,
    wrong_type,
    wrong_unit,
)
from services.rules.language.fields import Fields, expect_map, expect_text, limited_entries
from services.rules.language.located import Fault
from services.rules.language.lookup_paths import ENTRIES_MAX, ReadGiven, type_of
from services.rules.language.paths import TYPE_WORDS, PathType
from services.rules.language.scope import Scope
from services.rules.language.source import MapNode, Node, TextNode
from services.rules.language.values import read_amount, read_number


def read_brackets(
    by: Node, fields: Fields, on: tuple[str, ...], scope: Scope, read_given: ReadGiven, otherwise: Given | None
) -> Brackets | None:
    text = expect_text(by, scope, '"by"')
    type = type_of(text, on, scope) if text is not None else None
    if type is not None and type not in ("amount", "number", "attribute") and text is not None:
        help = "such as deal.amount, or a metric; a text is looked up in values"
        scope.add(text.span, wrong_type.path(text.text, TYPE_WORDS[type], "an amount or a number", help))
        type = None
    node = fields.get("from")
    mapping = expect_map(node, scope, '"from"', "write it as {0 USD: 5, 10_000 USD: 7}") if node is not None else None
    brackets: list[Bracket] = []
    before: TextNode | None = None
    for key, value in limited_entries(mapping, scope, "brackets of a lookup", ENTRIES_MAX):
        at = _read_bound(key, text.text, type, scope) if type is not None and text is not None else None
        given = read_given(value)
        if at is None or given is None:
            continue
        if brackets and before is not None and not _is_above(at, brackets[-1].at, key, scope):
            scope.add(key.span, overlapping_brackets.fault(key.text, before.text))
        brackets.append(Bracket(at, given))
        before = key
    if mapping is None or text is None or type is None or len(brackets) != len(mapping.entries) or not brackets:
        return None
    lookup = Brackets(
        by=text.text, brackets=tuple(brackets), otherwise=otherwise, marginal=_read_marginal(fields, scope)
    )
    _check_start(lookup, mapping, fields, scope)
    return lookup


def _read_bound(key: TextNode, path: str, type: PathType, scope: Scope) -> Money | Number | None:
    bound: Money | Number | Fault
    bound = read_amount(key.text, scope.decimals_of) if type == "amount" else read_number(key.text)
    if isinstance(bound, Fault):
        scope.add(key.span, bound)
        return None
    if isinstance(bound, Money) and not is_currency(bound.unit):
        scope.add(key.span, wrong_unit.not_comparable(bound.unit, path, scope.currency))
        return None
    return bound


def _is_above(bound: Money | Number, before: Money | Number, key: TextNode, scope: Scope) -> bool:
    if isinstance(bound, Money) and isinstance(before, Money):
        if bound.unit != before.unit:
            scope.add(key.span, wrong_unit.bracket(bound.unit, before.unit))
            return True
        return bound.amount_minor > before.amount_minor
    return isinstance(bound, Number) and isinstance(before, Number) and bound.millionths > before.millionths


def _read_marginal(fields: Fields, scope: Scope) -> bool:
    node = fields.text("marginal")
    if node is None:
        return False
    if node.text not in ("true", "false"):
        scope.add(node.span, unreadable_value.fault(node.text, "true or false", "write marginal: true"))
    return node.text == "true"


def _check_start(lookup: Brackets, mapping: MapNode, fields: Fields, scope: Scope) -> None:
    lowest = lookup.brackets[0].at
    start = lowest.amount_minor if isinstance(lowest, Money) else lowest.millionths
    if lookup.marginal:
        if not all(isinstance(each, PercentOf) and each.of == lookup.by for each in givens_of(lookup)):
            scope.add(fields.keys["marginal"].span, wrong_lookup.marginal_base(lookup.by))
        if start != 0:
            scope.add(mapping.entries[0][0].span, wrong_lookup.marginal_start())
    elif start > 0 and "otherwise" not in fields.keys:
        scope.add(mapping.entries[0][0].span, missing_otherwise.below(mapping.entries[0][0].text))
