"""What a reward gives: an amount, a percentage of a base, or a lookup of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.money import Money, is_currency
from contracts.ruleset import Given, Lookup, PercentOf
from services.rules.language.checks import (
    missing_key,
    missing_otherwise,
    mixed_give,
    not_carried_out_yet,
    path_not_here,
    tier_not_covered,
    unknown_path,
    unknown_tier,
    wrong_shape,
    wrong_type,
    wrong_unit,
)
from services.rules.language.fields import Fields, expect_map, expect_text, shape_of
from services.rules.language.located import Fault
from services.rules.language.paths import TYPE_WORDS, can_be_in, known_path
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, MapNode, Node, TextNode
from services.rules.language.values import read_given_amount, read_percent_ppm

PERCENT_KEYS: Final = ("percent", "of", "at_most")
LOOKUP_KEYS: Final = ("by", "values", "otherwise", "at_most")
LATER_KEYS: Final = ("rows", "from", "marginal")
"""Lookups by several paths and by brackets come later."""


@dataclass(frozen=True, slots=True)
class Giving:
    """What is given and its ceiling; `give` is None when nothing usable was written."""

    give: Given | Lookup | None
    at_most: Money | None = None


def read_give(node: Node, on: tuple[str, ...], scope: Scope) -> Giving:
    """The value of `give`."""
    if isinstance(node, TextNode):
        return Giving(_read_amount(node, scope))
    if isinstance(node, ListNode):
        help = "write an amount, or {percent: 5, of: deal.amount}"
        scope.add(node.span, wrong_shape.fault('"give"', "an amount or a mapping", "a list", help))
        return Giving(None)
    keys = {key.text for key, _ in node.entries}
    if "by" in keys and "percent" not in keys:
        fields = Fields(node, scope, "a lookup", LOOKUP_KEYS, LATER_KEYS)
        lookup = _read_lookup(fields, scope, _AmountOrPercentOf(on, scope))
        return Giving(lookup, _read_at_most(fields, lookup, scope))
    fields = Fields(node, scope, '"give"', PERCENT_KEYS, ("marginal",))
    give = _read_percent_of(fields, on, scope)
    return Giving(give, _read_at_most(fields, give, scope))


def _read_amount(node: TextNode, scope: Scope) -> Money | None:
    if node.is_nothing:
        scope.add(node.span, wrong_shape.fault('"give"', "an amount or a mapping", "empty"))
        return None
    amount = read_given_amount(node.text, scope.decimals_of)
    if isinstance(amount, Fault):
        scope.add(node.span, amount)
        return None
    return amount


def _read_percent_of(fields: Fields, on: tuple[str, ...], scope: Scope) -> Given | Lookup | None:
    percent = fields.require("percent", "write an amount, or {percent: 5, of: deal.amount}")
    base = _read_base(fields, on, scope)
    if percent is None:
        return None
    if isinstance(percent, MapNode):
        details = Fields(percent, scope, "a lookup", ("by", "values", "otherwise"), LATER_KEYS)
        lookup = _read_lookup(details, scope, _Percent(base or "deal.amount", scope))
        return lookup if base is not None else None
    given = _Percent(base or "deal.amount", scope)(percent)
    return given if base is not None else None


def _read_base(fields: Fields, on: tuple[str, ...], scope: Scope) -> str | None:
    node = fields.require_text("of", "say what the percentage is taken of: of: deal.amount")
    if node is None:
        return None
    found = known_path(node.text)
    if found is None:
        if node.text in scope.metrics:
            fault = wrong_type.path(node.text, "a metric", "an amount of the event", "such as of: deal.amount")
            scope.add(node.span, fault)
            return None
        offset, length, unknown = scope.explain_unknown(node.text)
        scope.add(node.part(offset, length), unknown)
        return None
    if found.type != "amount":
        scope.add(node.span, wrong_type.path(found.name, TYPE_WORDS[found.type], "an amount", "such as deal.amount"))
        return None
    if on and not any(can_be_in(found.name, each) for each in on):
        scope.add(node.span, path_not_here.never_in(found.name, on))
    return found.name


class _Percent:
    """Reads one percentage of a base."""

    def __init__(self, base: str, scope: Scope) -> None:
        self._base = base
        self._scope = scope

    def __call__(self, node: Node) -> Given | None:
        text = expect_text(node, self._scope, "a percentage")
        if text is None:
            return None
        percent_ppm = read_percent_ppm(text.text)
        if isinstance(percent_ppm, Fault):
            self._scope.add(text.span, percent_ppm)
            return None
        return PercentOf(percent_ppm, self._base)


class _AmountOrPercentOf:
    """Reads one value of a lookup that stands right under `give`."""

    def __init__(self, on: tuple[str, ...], scope: Scope) -> None:
        self._on = on
        self._scope = scope

    def __call__(self, node: Node) -> Given | None:
        if isinstance(node, TextNode):
            return _read_amount(node, self._scope)
        if isinstance(node, MapNode):
            fields = Fields(node, self._scope, '"give"', ("percent", "of"))
            percent = fields.require("percent")
            base = _read_base(fields, self._on, self._scope)
            return _Percent(base or "deal.amount", self._scope)(percent) if percent is not None else None
        self._scope.add(node.span, wrong_shape.fault("what is given", "an amount", shape_of(node)))
        return None


def _read_lookup(fields: Fields, scope: Scope, read_given: _Percent | _AmountOrPercentOf) -> Lookup | None:
    by = fields.require("by")
    if isinstance(by, ListNode):
        scope.add(fields.keys["by"].span, not_carried_out_yet.fault("by: several paths"))
        return None
    if any(key.text in LATER_KEYS for key, _ in fields.node.entries):
        return None  # Told already; what else is in it belongs to a later form of lookups.
    path = _read_by(by, scope) if by is not None else None
    if "values" not in fields.keys:
        scope.add(fields.node.span, missing_key.fault("values", "a lookup"))
        return None
    node = fields.get("values")
    mapping = expect_map(node, scope, '"values"', "write it as {bronze: 5, silver: 7.5}") if node is not None else None
    otherwise_node = fields.get("otherwise")
    otherwise = read_given(otherwise_node) if otherwise_node is not None else None
    if mapping is None:
        return None
    values = []
    for key, value in mapping.entries:
        given = read_given(value)
        if path == "tier" and scope.tiers and key.text not in scope.tiers:
            scope.add(key.span, unknown_tier.fault(key.text, scope.tiers))
        if given is not None:
            values.append((key.text, given))
    if path is not None and "otherwise" not in fields.keys:
        _check_covered(path, mapping, fields, scope)
    kinds = {type(given) for _, given in values} | ({type(otherwise)} if otherwise is not None else set())
    if len(kinds) > 1:
        scope.add(fields.keys["values"].span, mixed_give.fault())
    return Lookup(by=path or "tier", values=tuple(values), otherwise=otherwise)


def _read_by(node: Node, scope: Scope) -> str | None:
    text = expect_text(node, scope, '"by"')
    if text is None:
        return None
    type = scope.type_of(text.text)
    if type is None:
        offset, length, fault = scope.explain_unknown(text.text)
        scope.add(text.part(offset, length), fault)
        return None
    if text.text == "tier" and not scope.tiers:
        scope.add(text.span, unknown_path.no_tiers())
        return None
    if type not in ("text", "attribute"):
        scope.add(text.span, wrong_type.path(text.text, TYPE_WORDS[type], "a text", "such as tier or deal.product"))
        return None
    return text.text


def _check_covered(path: str, values: MapNode, fields: Fields, scope: Scope) -> None:
    if path != "tier":
        scope.add(fields.keys["by"].span, missing_otherwise.fault(path))
        return
    named = {key.text for key, _ in values.entries}
    missing = [tier for tier in scope.tiers if tier not in named]
    if missing:
        scope.add(fields.keys["values"].span, tier_not_covered.fault(missing))


def _read_at_most(fields: Fields, give: Given | Lookup | None, scope: Scope) -> Money | None:
    node = fields.text("at_most")
    return None if node is None else read_at_most(node, give, scope)


def read_at_most(node: TextNode, give: Given | Lookup | None, scope: Scope) -> Money | None:
    """A ceiling, in the unit of what is given; of a percentage, in a currency."""
    amount = read_given_amount(node.text, scope.decimals_of)
    if isinstance(amount, Fault):
        scope.add(node.span, amount)
        return None
    values = [] if give is None else [given for _, given in give.values] if isinstance(give, Lookup) else [give]
    if isinstance(give, Lookup) and give.otherwise is not None:
        values.append(give.otherwise)
    for given in values:
        if isinstance(given, Money) and given.unit != amount.unit:
            scope.add(node.span, wrong_unit.ceiling(amount.unit, given.unit))
            break
        if isinstance(given, PercentOf) and not is_currency(amount.unit):
            scope.add(node.span, wrong_unit.ceiling(amount.unit, "money"))
            break
    return amount
