"""What tests of a rule file can notice: those that pass, or fail, whatever the rules say are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, RuleSet, RuleTest
from services.rules.language.checks import hopeless_test, idle_test, unknown_operator
from services.rules.language.located import Span
from services.rules.language.scope import Scope

_QUALIFIES: Final = ("lead.", "deal.")
"""Events at which a lead can qualify."""


def refuse_idle_tests(rule_set: RuleSet, scope: Scope) -> None:
    """Warn of tests that notice nothing; note expectations that no event of their test can bring."""
    listens = _listeners(rule_set)
    conditions = list(dict.fromkeys(_conditions(rule_set)))
    for test in rule_set.tests:
        span = scope.tests.get(test.name)
        if span is not None:
            _judge(test, span, listens, scope)
        _judge_because(test, conditions, scope)


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


def _judge_because(test: RuleTest, conditions: Sequence[str], scope: Scope) -> None:
    """Warn of a condition that no part of the file has. Reasons in other words are the deciding code's own."""
    parts = " ".join((test.because or "").split()).split(": ")
    span = scope.because.get(test.name)
    if span is None or any(part in conditions for part in parts):
        return
    for part in parts:
        path, _, rest = part.partition(" ")
        operator = rest.partition(" ")[0]
        names_path = scope.type_of(path) is not None and operator not in ("", "is")
        if names_path or operator in unknown_operator.OPERATORS:
            scope.add(span, hopeless_test.no_such_condition(part, conditions))
            return


def _conditions(rule_set: RuleSet) -> Iterator[str]:
    """Every condition as it is written, with single spaces."""
    gates = (rule_set.eligible_partner, rule_set.eligible_customer, rule_set.qualified_lead, rule_set.qualified_deal)
    for condition in (*gates, *(tier.when for tier in rule_set.tiers), *(each.when for each in rule_set.rewards)):
        yield from _texts(condition)
    yield from (each.text for each in rule_set.inactivity)


def _texts(condition: Condition | None) -> Iterator[str]:
    if isinstance(condition, Comparison):
        yield condition.text
    elif isinstance(condition, AllOf | AnyOf):
        for each in condition.conditions:
            yield from _texts(each)
    elif condition is not None:
        yield from _texts(condition.condition)


def _listeners(rule_set: RuleSet) -> dict[str, frozenset[str]]:
    """Rule to the events at which it can give something; contests are left out, their events are the system's."""
    metrics = {metric.id: metric for metric in rule_set.metrics}
    listens = {reward.id: frozenset(reward.on) for reward in rule_set.rewards}
    for milestone in rule_set.milestones:
        metric = metrics.get(milestone.metric)
        if metric is not None:
            listens[milestone.id] = frozenset({*metric.on, *([metric.minus] if metric.minus else [])})
    return listens
