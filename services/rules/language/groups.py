"""The groups section: rewards of which one event gives only the highest."""

from __future__ import annotations

from typing import Final

from contracts.ruleset import RewardGroup
from services.rules.language.checks import group_of_different_units, unknown_reward, unreadable_value, wrong_group
from services.rules.language.fields import Fields, check_name, expect_map, limited_entries, texts_of
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode
from services.rules.language.units import units_of

GROUPS_MAX: Final = 200
PICKS: Final = ("highest",)


def read_groups(node: Node, scope: Scope) -> tuple[RewardGroup, ...]:
    mapping = expect_map(node, scope, '"groups"', "write it as: welcome: {rewards: [a, b], pick: highest}")
    group_of: dict[str, str] = {}
    groups = []
    for key, value in limited_entries(mapping, scope, "groups", GROUPS_MAX):
        if not check_name(key, scope, "a group"):
            continue
        details = expect_map(value, scope, f"the group {key.text}", "such as {rewards: [a, b], pick: highest}")
        if details is not None:
            groups.append(_read_group(key, Fields(details, scope, "a group", ("rewards", "pick")), group_of, scope))
    return tuple(groups)


def _read_group(key: TextNode, fields: Fields, group_of: dict[str, str], scope: Scope) -> RewardGroup:
    pick = fields.require_text("pick", "add pick: highest")
    if pick is not None and pick.text not in PICKS:
        scope.add(pick.span, unreadable_value.fault(pick.text, "what a group can pick", "write pick: highest"))
    node = fields.require("rewards", "name them: rewards: [welcome-credit, spring-credit]")
    named = texts_of(node, scope, '"rewards"') if node is not None else []
    ids: set[str] = set()
    for each in named:
        if each.text not in scope.rewards and each.text in scope.unread.rules:
            continue
        if each.text not in scope.rewards:
            scope.add(each.span, unknown_reward.fault(each.text, list(scope.rewards)))
        elif each.text in group_of:
            scope.add(each.span, wrong_group.in_another(each.text, group_of[each.text]))
        else:
            group_of[each.text] = key.text
            ids.add(each.text)
    if node is not None and len(named) < 2:
        scope.add(key.span, wrong_group.too_small(key.text))
    in_order = tuple(id for id in scope.rewards if id in ids)
    units = list(dict.fromkeys(unit for id in in_order for unit in units_of(scope.rewards[id].give)))
    # What a percentage gives is in the currency of the deal, which is the programme's unless a sender says otherwise.
    kinds = {scope.currency if unit == "money" else unit for unit in units}
    if len(kinds) > 1 and scope.has_currency:
        scope.add(key.span, group_of_different_units.fault(key.text, units))
    return RewardGroup(id=key.text, rewards=in_order, line=key.span.line)
