"""The tiers section: the first is where everyone starts, each later one says when it is reached."""

from __future__ import annotations

from typing import Final

from contracts.ruleset import Condition, Tier
from services.rules.language.checks import duplicate_id, first_tier_with_when, tier_without_when
from services.rules.language.conditions import Place, expect_conditions
from services.rules.language.consistency import refuse_contradictions, refuse_unreachable_tiers
from services.rules.language.fields import Fields, check_name, expect_list, expect_map, limited
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode

TIERS_MAX: Final = 50


def read_tiers(node: Node, scope: Scope) -> tuple[Tier, ...]:
    """The tiers in file order; their ids are known to the scope before any condition is read."""
    items = expect_list(node, scope, '"tiers"', "write each after a dash: - id: bronze")
    read: list[tuple[TextNode, Fields]] = []
    for item in limited(items, scope, "tiers", TIERS_MAX):
        mapping = expect_map(item, scope, "a tier", "write it as: - id: bronze")
        fields = Fields(mapping, scope, "a tier", ("id", "when")) if mapping else None
        id = fields.require_text("id") if fields else None
        if id is None or fields is None or not check_name(id, scope, "a tier"):
            continue
        first = next((other for other, _ in read if other.text == id.text), None)
        if first is not None:
            scope.add(id.span, duplicate_id.fault(id.text, "tier", first.span.line))
            continue
        read.append((id, fields))
    scope.tiers = tuple(id.text for id, _ in read)
    tiers = tuple(
        Tier(id=id.text, when=_read_when(id, fields, scope, is_first=index == 0), line=id.span.line)
        for index, (id, fields) in enumerate(read)
    )
    refuse_unreachable_tiers(tiers, [id for id, _ in read], scope)
    return tiers


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
