"""The rewards that gave no decision of their own, judged again: what ruled each of them out.

Pure. Beyond DENIALS_PER_EVENT_MAX rewards on one event type only those that could match are decided (ADR 0006). The
others are judged here by the same generated functions, a few at a time, on the state as it was before the event.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from contracts.decisions import Decision
from contracts.events import Event
from contracts.ruleset import Reward, RuleSet
from services.rules.compile import CompiledRevision, compile_rule_set
from services.rules.deciding.considered import DENIALS_PER_EVENT_MAX
from services.rules.evaluate import evaluate
from services.rules.fold import Fold

AGAIN_MAX: Final = 64
"""Rewards judged again for one explanation; each costs a millisecond."""


def ruled_out(
    event: Event, revision: CompiledRevision, decided: Collection[str], states: Mapping[bytes, bytes | None]
) -> tuple[list[Decision], list[str]]:
    """Denials of the rewards on this event type that are not in `decided`, in file order; and those left out."""
    rules = revision.rule_set
    rewards = [reward for reward in rules.rewards if event.type in reward.on]
    if len(rewards) <= DENIALS_PER_EVENT_MAX:
        return [], []
    silent = [reward for reward in rewards if reward.id not in decided]
    judged, left_out = silent[:AGAIN_MAX], silent[AGAIN_MAX:]
    found: list[Decision] = []
    for start in range(0, len(judged), DENIALS_PER_EVENT_MAX):
        few = judged[start : start + DENIALS_PER_EVENT_MAX]
        only = compile_rule_set(_only(rules, few), revision=revision.revision, raised=revision.raised)
        found += _judged(event, only, {reward.id for reward in few}, states)
    return found, [reward.id for reward in left_out]


def _only(rules: RuleSet, rewards: list[Reward]) -> RuleSet:
    """The rule set with no other rewards, and nothing that refers to others."""
    return msgspec.structs.replace(rules, rewards=tuple(rewards), groups=(), budgets=(), milestones=(), tests=())


def _judged(
    event: Event, only: CompiledRevision, wanted: Collection[str], states: Mapping[bytes, bytes | None]
) -> list[Decision]:
    fold = Fold(0)
    fold.load({key: states.get(key) for key in fold.missing_keys((event,))})
    _, decisions = evaluate(fold.partner_or_new(event), event, only)
    return [each for each in decisions if each.rule in wanted and not each.granted]
