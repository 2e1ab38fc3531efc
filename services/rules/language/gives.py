"""What a reward gives: an amount, a percentage of a base, or a lookup of either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.money import Money
from contracts.ruleset import Give, Given, PercentOf
from services.rules.language.checks import path_not_here, wrong_lookup, wrong_shape, wrong_type
from services.rules.language.fields import Fields, expect_text, shape_of
from services.rules.language.located import Fault
from services.rules.language.lookups import LOOKUP_KEYS, read_lookup
from services.rules.language.paths import TYPE_WORDS, can_be_in, known_path
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, MapNode, Node, TextNode
from services.rules.language.units import refuse_other_unit
from services.rules.language.values import read_given_amount, read_percent_ppm

PERCENT_KEYS: Final = ("percent", "of", "at_most")


@dataclass(frozen=True, slots=True)
class Giving:
    """What is given and its ceiling; `give` is None when nothing usable was written."""

    give: Give | None
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
    if keys & {"by", "values", "rows", "from"} and "percent" not in keys:
        fields = Fields(node, scope, "a lookup", (*LOOKUP_KEYS, "at_most"))
        lookup = read_lookup(fields, on, scope, _AmountOrPercentOf(on, scope))
        return Giving(lookup, _read_at_most(fields, lookup, scope))
    fields = Fields(node, scope, '"give"', (*PERCENT_KEYS, "marginal"))
    if "marginal" in fields.keys:
        scope.add(fields.keys["marginal"].span, wrong_lookup.marginal_without_brackets())
    give = _read_percent_of(fields, on, scope)
    return Giving(give, _read_at_most(fields, give, scope))


def _read_amount(node: TextNode, scope: Scope, *, may_be_zero: bool = False) -> Money | None:
    if node.is_nothing:
        scope.add(node.span, wrong_shape.fault('"give"', "an amount or a mapping", "empty"))
        return None
    amount = read_given_amount(node.text, scope.decimals_of, may_be_zero=may_be_zero)
    if isinstance(amount, Fault):
        scope.add(node.span, amount)
        return None
    return amount


def _read_percent_of(fields: Fields, on: tuple[str, ...], scope: Scope) -> Give | None:
    percent = fields.require("percent", "write an amount, or {percent: 5, of: deal.amount}")
    base = _read_base(fields, on, scope)
    if percent is None:
        return None
    give = read_percent(percent, base or "deal.amount", on, scope)
    return give if base is not None else None


def read_percent(node: Node, base: str, on: tuple[str, ...], scope: Scope) -> Give | None:
    """A percentage of the base, or a lookup of percentages."""
    if isinstance(node, MapNode):
        return read_lookup(Fields(node, scope, "a lookup", LOOKUP_KEYS), on, scope, _Percent(base, scope))
    return _Percent(base, scope)(node)


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
            # Nothing is a fair answer of a lookup: `otherwise: 0 USD`.
            return _read_amount(node, self._scope, may_be_zero=True)
        if isinstance(node, MapNode):
            fields = Fields(node, self._scope, '"give"', ("percent", "of"))
            percent = fields.require("percent")
            base = _read_base(fields, self._on, self._scope)
            return _Percent(base or "deal.amount", self._scope)(percent) if percent is not None else None
        self._scope.add(node.span, wrong_shape.fault("what is given", "an amount", shape_of(node)))
        return None


def _read_at_most(fields: Fields, give: Give | None, scope: Scope) -> Money | None:
    node = fields.text("at_most")
    return None if node is None else read_at_most(node, give, scope)


def read_at_most(node: TextNode, give: Give | None, scope: Scope) -> Money | None:
    """A ceiling, in the unit of what is given; of a percentage, in a currency."""
    amount = read_given_amount(node.text, scope.decimals_of)
    if isinstance(amount, Fault):
        scope.add(node.span, amount)
        return None
    if give is not None:
        refuse_other_unit("at_most", amount.unit, give, node.span, scope)
    return amount
