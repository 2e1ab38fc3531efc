"""Rewards that can never be given, because of other parts of the file: the gates before them, the group around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.money import Money
from contracts.ruleset import Condition, Reward, RewardGroup, RuleSet
from services.rules.language.checks import unreachable_rule
from services.rules.language.consistency import PAIRS_MAX, span_of, tree_of
from services.rules.language.logic import Fact, all_follow, can_hold, is_plain, needed
from services.rules.language.scope import Scope

_QUALIFIED: Final = ("deal.won", "deal.renewed")
"""The events of which `qualified.deal` is asked."""


def refuse_unreachable_rewards(rule_set: RuleSet, scope: Scope) -> None:
    for reward in rule_set.rewards:
        _compare_with_gates(reward, rule_set, scope)
    rewards = {reward.id: reward for reward in rule_set.rewards}
    order = {id: index for index, id in enumerate(rewards)}
    for group in rule_set.groups:
        members = [rewards[id] for id in group.rewards]
        if len(members) ** 2 <= PAIRS_MAX:
            _compare_bids(group, members, order, scope)


def _compare_with_gates(reward: Reward, rule_set: RuleSet, scope: Scope) -> None:
    if reward.when is None or not reward.on:
        return
    mine = list(needed(tree_of(reward.when, scope)))
    pairs = 0
    for part, condition in _gates(reward, rule_set):
        for gate in needed(tree_of(condition, scope)):
            pairs += len(mine)
            if pairs > PAIRS_MAX:
                return
            for fact in mine:
                if fact.path == gate.path and can_hold((fact,)) and can_hold((gate,)) and not can_hold((gate, fact)):
                    scope.add(span_of(fact.comparison), unreachable_rule.fault(reward.id, gate.text, part))


def _gates(reward: Reward, rule_set: RuleSet) -> Iterator[tuple[str, Condition]]:
    """The conditions that every event of the reward must pass before it."""
    if rule_set.eligible_partner is not None:
        yield "eligible.partner", rule_set.eligible_partner
    of_customers = all(each.startswith(("lead.", "deal.")) and each != "deal.refunded" for each in reward.on)
    if rule_set.eligible_customer is not None and of_customers:
        yield "eligible.customer", rule_set.eligible_customer
    if rule_set.qualified_deal is not None and all(each in _QUALIFIED for each in reward.on):
        yield "qualified.deal", rule_set.qualified_deal


def _compare_bids(group: RewardGroup, members: Sequence[Reward], order: dict[str, int], scope: Scope) -> None:
    for reward in members:
        mine = _bid(reward)
        if mine is None:
            continue
        facts = list(needed(tree_of(reward.when, scope))) if reward.when is not None else []
        for other in members:
            bid = _bid(other)
            if other is reward or bid is None or bid.unit != mine.unit:
                continue
            is_picked = bid.amount_minor > mine.amount_minor or (bid == mine and order[other.id] < order[reward.id])
            if is_picked and _is_given_whenever(other, reward, facts, scope):
                scope.add(scope.rules[reward.id][1], unreachable_rule.outbid(reward.id, other.id, group.id))
                break


def _bid(reward: Reward) -> Money | None:
    """What the reward gives, if that is one amount; without an end that another's lookup could come to."""
    if not isinstance(reward.give, Money):
        return None
    return (
        reward.give if reward.at_most is None else min(reward.give, reward.at_most, key=lambda each: each.amount_minor)
    )


def _is_given_whenever(other: Reward, reward: Reward, facts: Sequence[Fact], scope: Scope) -> bool:
    if not set(reward.on) <= set(other.on) or other.to not in ("partner", reward.to):
        return False
    if other.lasts is not None and other.lasts != reward.lasts:
        return False
    if other.when is None:
        return True
    tree = tree_of(other.when, scope)
    return is_plain(tree) and all_follow(facts, needed(tree))
