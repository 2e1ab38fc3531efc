"""What tests of a rule file can notice: those that pass, or fail, whatever the rules say are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contracts.ruleset import RuleSet, RuleTest
from services.rules.language.checks import hopeless_test, idle_test
from services.rules.language.located import Span
from services.rules.language.scope import Scope

_QUALIFIES: Final = ("lead.", "deal.")
"""Events at which a lead can qualify."""


def refuse_idle_tests(rule_set: RuleSet, scope: Scope) -> None:
    """Warn of tests that notice nothing; note expectations that no event of their test can bring."""
    listens = _listeners(rule_set)
    for test in rule_set.tests:
        span = scope.tests.get(test.name)
        if span is not None:
            _judge(test, span, listens, scope)


def _judge(test: RuleTest, span: Span, listens: Mapping[str, frozenset[str]], scope: Scope) -> None:
    types = {event.get("type", "") for event in test.events}
    if not types:
        scope.add(span, idle_test.no_events())
        return
    seen = types | ({"lead.qualified"} if any(each.startswith(_QUALIFIES) for each in types) else set())
    for rule, _ in test.expect:
        on = listens.get(rule)
        if on and not on & seen:
            scope.add(span, hopeless_test.fault(rule, sorted(on)))
    if not test.expect and test.because is None and not any(on & seen for on in listens.values()):
        scope.add(span, idle_test.no_reward_listens(sorted(types)))


def _listeners(rule_set: RuleSet) -> dict[str, frozenset[str]]:
    """Rule to the events at which it can give something; contests are left out, their events are the system's."""
    metrics = {metric.id: metric for metric in rule_set.metrics}
    listens = {reward.id: frozenset(reward.on) for reward in rule_set.rewards}
    for milestone in rule_set.milestones:
        metric = metrics.get(milestone.metric)
        if metric is not None:
            listens[milestone.id] = frozenset({*metric.on, *([metric.minus] if metric.minus else [])})
    return listens
