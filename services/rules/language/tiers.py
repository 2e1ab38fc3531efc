"""The tiers section: the first is where everyone starts, each later one says when it is reached."""

from __future__ import annotations

from typing import Final, Literal, cast

from contracts.money import is_currency
from contracts.ruleset import Condition, Tier, TierPrice
from services.rules.language.checks import (
    duplicate_id,
    first_tier_with_when,
    tier_without_when,
    unreadable_value,
    wrong_tier,
)
from services.rules.language.conditions import Place, expect_conditions
from services.rules.language.consistency import refuse_contradictions, refuse_unreachable_tiers
from services.rules.language.fields import Fields, check_name, expect_list, expect_map, limited
from services.rules.language.located import Fault
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode
from services.rules.language.values import read_given_amount

TIERS_MAX: Final = 50
TIER_KEYS: Final = ("id", "when", "by", "price")
REACHED_BY: Final = ("hand", "choice")
PERIODS: Final = ("month", "quarter", "year")


def read_tiers(node: Node, scope: Scope) -> tuple[Tier, ...]:
    """The tiers in file order; their ids are known to the scope before any condition is read."""
    items = expect_list(node, scope, '"tiers"', "write each after a dash: - id: bronze")
    errors_before = scope.problems.errors_count
    read: list[tuple[TextNode, Fields, bool]] = []
    for index, item in enumerate(limited(items, scope, "tiers", TIERS_MAX)):
        mapping = expect_map(item, scope, "a tier", "write it as: - id: bronze")
        fields = Fields(mapping, scope, "a tier", TIER_KEYS) if mapping else None
        id = fields.require_text("id") if fields else None
        if id is None or fields is None:
            scope.unread.tiers.add_any()
            continue
        if not check_name(id, scope, "a tier"):
            scope.unread.tiers.add(id.text)
            continue
        first = next((other for other, _, _ in read if other.text == id.text), None)
        if first is not None:
            scope.add(id.span, duplicate_id.fault(id.text, "tier", first.span.line))
            continue
        read.append((id, fields, index == 0))
    scope.tiers = tuple(id.text for id, _, _ in read)
    tiers = tuple(_read_tier(id, fields, scope, is_first=is_first) for id, fields, is_first in read)
    if scope.problems.errors_count == errors_before:  # What was not read asks for less than it says.
        refuse_unreachable_tiers(tiers, [id for id, _, _ in read], scope)
    return tiers


def _read_tier(id: TextNode, fields: Fields, scope: Scope, *, is_first: bool) -> Tier:
    by = fields.text("by")
    if by is not None:
        if by.text not in REACHED_BY:
            help = "write by: hand, or by: choice; without it the metrics decide"
            scope.add(by.span, unreadable_value.fault(by.text, "how a tier is reached", help))
        elif is_first:
            scope.add(fields.keys["by"].span, wrong_tier.first())
        elif "when" in fields.keys:
            scope.add(fields.keys["when"].span, wrong_tier.both())
    if "price" in fields.keys and (by is None or by.text == "hand"):
        scope.add(fields.keys["price"].span, wrong_tier.price())
    is_reached_by_when = by is None or "when" in fields.keys or is_first
    return Tier(
        id=id.text,
        when=_read_when(id, fields, scope, is_first=is_first) if is_reached_by_when else None,
        by=cast("Literal['hand', 'choice']", by.text) if by is not None and by.text in REACHED_BY else "when",
        price=_read_price(fields, scope),
        line=id.span.line,
    )


def _read_price(fields: Fields, scope: Scope) -> TierPrice | None:
    """`500 USD per year`; without a period it is paid once."""
    node = fields.text("price")
    if node is None:
        return None
    text, per, period = node.text.partition(" per ")
    amount = read_given_amount(text, scope.decimals_of)
    if isinstance(amount, Fault):
        scope.add(node.span, amount)
        return None
    if not is_currency(amount.unit) or (per and period not in PERIODS):
        help = "write it like 500 USD, or 500 USD per year (month, quarter)"
        scope.add(node.span, unreadable_value.fault(node.text, "a price", help))
        return None
    return TierPrice(amount, cast("Literal['month', 'quarter', 'year', 'ever']", period or "ever"))


def _read_when(id: TextNode, fields: Fields, scope: Scope, *, is_first: bool) -> Condition | None:
    node = fields.get("when")
    if is_first:
        if "when" in fields.keys:
            scope.add(fields.keys["when"].span, first_tier_with_when.fault())
        return None
    if node is None:
        if "when" not in fields.keys:
            scope.add(id.span, tier_without_when.fault(id.text))
        return None
    condition = expect_conditions(node, scope, Place("when", is_tier=True))
    refuse_contradictions(condition, scope)
    return condition
