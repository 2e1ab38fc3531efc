"""The rewards section, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, cast

from contracts.ruleset import AllOf, AnyOf, Brackets, Comparison, Condition, Duration, Give, Lookup, Not, Reward
from services.rules.language.checks import (
    always_false,
    clawback_without_deal,
    customer_reward_on_partner_metric,
    duplicate_key,
    duplicate_rule,
    unreadable_value,
)
from services.rules.language.conditions import Place, expect_conditions
from services.rules.language.consistency import refuse_contradictions, span_of
from services.rules.language.durations import read_duration_of
from services.rules.language.event_types import read_event_types
from services.rules.language.fields import Fields, expect_list, expect_map, limited
from services.rules.language.gives import Giving, read_at_most, read_give
from services.rules.language.limits import read_limits
from services.rules.language.rule_names import note_unread, take_name
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode

REWARDS_MAX: Final = 2_000
REWARD_KEYS: Final = ("id", "on", "to", "when", "give", "at_most", "limit", "for", "hold", "clawback")
TO: Final = ("partner", "member", "customer")
NOTHING_READ: Final = Lookup(by="", values=())
"""Stands in for a `give` whose fault was noted; a file with it never loads."""


def read_rewards(node: Node, scope: Scope) -> tuple[Reward, ...]:
    """The rewards in file order; of a repeated id the first stays."""
    items = expect_list(node, scope, '"rewards"', "write each after a dash: - id: welcome")
    rewards: dict[str, Reward] = {}
    meanings: dict[object, Reward] = {}
    for item in limited(items, scope, "rewards", REWARDS_MAX):
        mapping = expect_map(item, scope, "a reward", "write it as: - id: welcome")
        if mapping is None:
            continue
        problems_before, errors_before = scope.problems.count, scope.problems.errors_count
        fields = Fields(mapping, scope, "a reward", REWARD_KEYS)
        id = fields.require_text("id")
        reward = _read_reward(id, fields, scope)
        if not take_name(id, "reward", scope) or id is None:
            continue
        rewards[id.text] = scope.rewards[id.text] = reward
        note_unread(id.text, errors_before, scope)
        if scope.problems.count > problems_before:
            continue  # What was not read cannot be compared.
        meaning = (reward.on, reward.to, reward.give, reward.at_most, reward.lasts, _meaning(reward.when))
        same = meanings.setdefault(meaning, reward)
        if same is not reward:
            scope.add(id.span, duplicate_rule.fault(id.text, same.id, same.line))
    return tuple(rewards.values())


def _read_reward(id: TextNode | None, fields: Fields, scope: Scope) -> Reward:
    on_node = fields.require("on", "say which events it rewards: on: deal.won")
    on = read_event_types(on_node, scope, '"on"') if on_node is not None else ()
    to = _read_to(fields, scope)
    when_node = fields.get("when")
    when = expect_conditions(when_node, scope, Place("when", on=on)) if when_node is not None else None
    refuse_contradictions(when, scope)
    _refuse_other_events(when, on, scope)
    give_node = fields.require("give", "say what it gives: give: 50 USD")
    giving = read_give(give_node, on, scope) if give_node is not None else Giving(None)
    if to == "customer":
        _warn_of_partner_metrics(when, giving.give, fields, scope)
    at_most = giving.at_most
    at_most_node = fields.text("at_most")
    if at_most_node is not None:
        if at_most is not None:
            scope.add(fields.keys["at_most"].span, duplicate_key.fault("at_most", fields.keys["give"].span.line))
        at_most = read_at_most(at_most_node, giving.give, scope)
    limit_node = fields.get("limit")
    return Reward(
        id=id.text if id else "",
        on=on,
        give=giving.give if giving.give is not None else NOTHING_READ,
        to=to,
        when=when,
        at_most=at_most,
        limits=read_limits(limit_node, giving.give, scope) if limit_node is not None else (),
        lasts=read_duration_of("for", fields, scope),
        hold=read_duration_of("hold", fields, scope),
        clawback=_read_clawback(on, fields, scope),
        line=id.span.line if id else fields.node.span.line,
    )


def _read_to(fields: Fields, scope: Scope) -> Literal["partner", "member", "customer"]:
    node = fields.text("to")
    if node is None:
        return "partner"
    if node.text not in TO:
        help = "a reward goes to the partner, a member or the customer"
        scope.add(node.span, unreadable_value.fault(node.text, "whom a reward can go to", help))
    return cast("Literal['partner', 'member', 'customer']", node.text)


def _read_clawback(on: tuple[str, ...], fields: Fields, scope: Scope) -> Duration | None:
    if "clawback" in fields.keys and on and not any(each.startswith("deal.") for each in on):
        scope.add(fields.keys["clawback"].span, clawback_without_deal.fault())
    return read_duration_of("clawback", fields, scope)


def _refuse_other_events(when: Condition | None, on: tuple[str, ...], scope: Scope) -> None:
    """Note an `event.type` that the reward never sees. `lead.qualified` happens at events of other types."""
    if not on or "lead.qualified" in on or not isinstance(when, AllOf):
        return
    for each in when.conditions:
        if isinstance(each, Comparison) and each.path == "event.type":
            is_other = each.operator == "==" and each.literal not in on
            is_none = each.operator == "in" and not set(cast("tuple[str, ...]", each.literal)) & set(on)
            if is_other or is_none:
                scope.add(span_of(each), always_false.event_type(each.text))


def _warn_of_partner_metrics(when: Condition | None, give: Give | None, fields: Fields, scope: Scope) -> None:
    places = [(each.path, span_of(each)) for each in _comparisons(when)]
    if isinstance(give, Brackets):
        places.append((give.by, fields.keys["give"].span))
    for path, span in places:
        metric = scope.metrics.get(path)
        if metric is not None and not metric.per_customer:
            scope.add(span, customer_reward_on_partner_metric.fault(path))


def _comparisons(condition: Condition | None) -> Iterator[Comparison]:
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, Not):
        yield from _comparisons(condition.condition)
    elif condition is not None:
        for each in condition.conditions:
            yield from _comparisons(each)


def _meaning(condition: Condition | None) -> object:
    """The condition without its place and its way of writing."""
    if condition is None:
        return None
    if isinstance(condition, Comparison):
        return condition.path, condition.operator, condition.literal
    if isinstance(condition, Not):
        return "not", _meaning(condition.condition)
    word = "any" if isinstance(condition, AnyOf) else "all"
    return word, tuple(_meaning(each) for each in condition.conditions)
