"""Lookups: what is given depends on a text (`values`), on several (`rows`), or on a number (`from`)."""

from __future__ import annotations

from typing import Final

from contracts.ruleset import Brackets, Given, Lookup, Rows, givens_of
from services.rules.language.checks import missing_otherwise, mixed_give, unknown_tier, wrong_lookup
from services.rules.language.fields import Fields, expect_map, expect_text
from services.rules.language.lookup_brackets import read_brackets
from services.rules.language.lookup_paths import ReadGiven, check_tiers, text_path
from services.rules.language.lookup_rows import read_rows
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, Node

LOOKUP_KEYS: Final = ("by", "values", "rows", "from", "otherwise", "marginal")

AnyLookup = Lookup | Rows | Brackets


def read_lookup(fields: Fields, on: tuple[str, ...], scope: Scope, read_given: ReadGiven) -> AnyLookup | None:
    """The lookup whose keys `fields` has; `on` are the events it is asked at, `read_given` reads one value of it."""
    by = fields.require("by")
    kinds = [kind for kind in ("values", "rows", "from") if kind in fields.keys]
    if len(kinds) != 1:
        at = fields.keys[kinds[1]].span if kinds else fields.node.span
        scope.add(at, wrong_lookup.kinds(len(kinds)))
        return None
    if kinds[0] != "from" and "marginal" in fields.keys:
        scope.add(fields.keys["marginal"].span, wrong_lookup.marginal_without_brackets())
    otherwise_node = fields.get("otherwise")
    otherwise = read_given(otherwise_node) if otherwise_node is not None else None
    if by is None or fields.get(kinds[0]) is None:
        return None
    lookup: AnyLookup | None
    if kinds[0] == "rows":
        lookup = read_rows(by, fields, on, scope, read_given, otherwise)
    elif isinstance(by, ListNode):
        scope.add(fields.keys["by"].span, wrong_lookup.several_paths())
        return None
    elif kinds[0] == "values":
        lookup = _read_values(by, fields, on, scope, read_given, otherwise)
    else:
        lookup = read_brackets(by, fields, on, scope, read_given, otherwise)
    if lookup is not None and len({type(given) for given in givens_of(lookup)}) > 1:
        scope.add(fields.keys[kinds[0]].span, mixed_give.fault())
    return lookup


def _read_values(
    by: Node, fields: Fields, on: tuple[str, ...], scope: Scope, read_given: ReadGiven, otherwise: Given | None
) -> Lookup | None:
    text = expect_text(by, scope, '"by"')
    path = text_path(text, on, scope) if text is not None else None
    node = fields.get("values")
    mapping = expect_map(node, scope, '"values"', "write it as {bronze: 5, silver: 7.5}") if node is not None else None
    if mapping is None:
        return None
    values = []
    for key, value in mapping.entries:
        given = read_given(value)
        if path == "tier" and scope.tiers and not scope.may_be_tier(key.text):
            scope.add(key.span, unknown_tier.fault(key.text, scope.tiers))
        if given is not None:
            values.append((key.text, given))
    if path is not None and "otherwise" not in fields.keys:
        if path == "tier":
            check_tiers({key.text for key, _ in mapping.entries}, fields, "values", scope)
        else:
            scope.add(fields.keys["by"].span, missing_otherwise.fault(path))
    return Lookup(by=path or "tier", values=tuple(values), otherwise=otherwise)
