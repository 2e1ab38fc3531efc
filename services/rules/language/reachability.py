"""Rewards that can never be given, because of other parts of the file: the gates before them, the group around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.money import Money
from contracts.ruleset import Reward, RewardGroup, RuleSet
from services.rules.language.checks import unreachable_rule
from services.rules.language.consistency import span_of, tree_of
from services.rules.language.logic import Fact, all_follow, can_hold, is_plain, needed
from services.rules.language.scope import Scope

_QUALIFIED: Final = ("deal.won", "deal.renewed")
"""The events of which `qualified.deal` is asked."""


MEMBERS_MAX: Final = 100
"""Of larger groups the bids are not compared: each is compared with each."""

_Gates = dict[str, list[Fact]]
"""Part of the file to what must hold there."""


def refuse_unreachable_rewards(rule_set: RuleSet, scope: Scope) -> None:
    parts = {
        "eligible.partner": rule_set.eligible_partner,
        "eligible.customer": rule_set.eligible_customer,
        "qualified.deal": rule_set.qualified_deal,
    }
    gates = {part: list(needed(tree_of(each, scope))) for part, each in parts.items() if each is not None}
    for reward in rule_set.rewards:
        _compare_with_gates(reward, gates, scope)
    rewards = {reward.id: reward for reward in rule_set.rewards}
    order = {id: index for index, id in enumerate(rewards)}
    # What was negotiated may turn the outcome for somebody.
    negotiated = {override.rule for terms in rule_set.terms for override in terms.overrides}
    for group in rule_set.groups:
        # And of what was not read nobody knows when it is given.
        members = [rewards[id] for id in group.rewards if id not in negotiated and id not in scope.unread.rules]
        _compare_bids(group, members, order, scope)


def _compare_with_gates(reward: Reward, gates: _Gates, scope: Scope) -> None:
    if reward.when is None or not reward.on:
        return
    mine = list(needed(tree_of(reward.when, scope)))
    paths = {fact.path for fact in mine}
    for part in _passed(reward):
        for gate in (fact for fact in gates.get(part, ()) if fact.path in paths):
            same = [fact for fact in mine if fact.path == gate.path]
            if not scope.effort.allows((gate,), same):
                return
            for fact in same:
                if can_hold((fact,)) and can_hold((gate,)) and not can_hold((gate, fact)):
                    scope.add(span_of(fact.comparison), unreachable_rule.fault(reward.id, gate.text, part))


def _passed(reward: Reward) -> Iterator[str]:
    """The gates that every event of the reward must pass before it."""
    yield "eligible.partner"
    if all(each.startswith(("lead.", "deal.")) and each != "deal.refunded" for each in reward.on):
        yield "eligible.customer"
    if all(each in _QUALIFIED for each in reward.on):
        yield "qualified.deal"


def _compare_bids(group: RewardGroup, members: Sequence[Reward], order: dict[str, int], scope: Scope) -> None:
    if len(members) > MEMBERS_MAX:
        return
    bids = [_Bid(reward, scope) for reward in members if isinstance(reward.give, Money)]
    for mine in bids:
        for other in bids:
            if other.amount.unit != mine.amount.unit or other is mine:
                continue
            more = other.amount.amount_minor - mine.amount.amount_minor
            is_picked = more > 0 or (more == 0 and order[other.reward.id] < order[mine.reward.id])
            if is_picked and other.is_made_whenever(mine, scope):
                span = scope.rules[mine.reward.id][1]
                scope.add(span, unreachable_rule.outbid(mine.reward.id, other.reward.id, group.id))
                break


class _Bid:
    """What a reward of a group gives, if that is one amount, and what must hold for it."""

    def __init__(self, reward: Reward, scope: Scope) -> None:
        assert isinstance(reward.give, Money)
        is_capped = reward.at_most is not None and reward.at_most.amount_minor < reward.give.amount_minor
        self.reward = reward
        self.amount = reward.at_most if is_capped and reward.at_most is not None else reward.give
        tree = tree_of(reward.when, scope) if reward.when is not None else None
        self.facts = list(needed(tree)) if tree is not None else []
        self.is_plain = tree is None or is_plain(tree)

    def is_made_whenever(self, other: _Bid, scope: Scope) -> bool:
        """Whether this bid is there at every event at which the other one is."""
        mine, theirs = self.reward, other.reward
        if not set(theirs.on) <= set(mine.on) or mine.to not in ("partner", theirs.to):
            return False
        if not self.is_plain or (mine.lasts is not None and mine.lasts != theirs.lasts):
            return False
        return scope.effort.allows(other.facts, self.facts) and all_follow(other.facts, self.facts)
