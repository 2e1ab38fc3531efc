"""The milestones section: what is given, or raised, once a metric crosses a mark."""

from __future__ import annotations

from typing import Final

from contracts.money import Money
from contracts.ruleset import Metric, Milestone, Number, Raise
from services.rules.language.checks import (
    amount_out_of_range,
    raise_on_fixed_amount,
    unknown_metric,
    unknown_reward,
    wrong_milestone,
    wrong_unit,
)
from services.rules.language.fields import Fields, expect_list, expect_map, limited
from services.rules.language.located import Fault
from services.rules.language.rule_names import note_unread, take_name
from services.rules.language.scope import Scope
from services.rules.language.source import Node
from services.rules.language.units import gives_percentage
from services.rules.language.values import (
    read_amount,
    read_decimal,
    read_given_amount,
    read_number,
    read_percent_ppm,
)

MILESTONES_MAX: Final = 500
MILESTONE_KEYS: Final = ("id", "metric", "at", "every", "give", "raise")


def read_milestones(node: Node, scope: Scope) -> tuple[Milestone, ...]:
    items = expect_list(node, scope, '"milestones"', "write each after a dash: - id: first-100k")
    milestones = []
    for item in limited(items, scope, "milestones", MILESTONES_MAX):
        mapping = expect_map(item, scope, "a milestone", "write it as: - id: first-100k")
        if mapping is None:
            continue
        errors_before = scope.problems.errors_count
        fields = Fields(mapping, scope, "a milestone", MILESTONE_KEYS)
        id = fields.require_text("id")
        milestone = _read_milestone(id.text if id else "", id.span.line if id else mapping.span.line, fields, scope)
        if take_name(id, "milestone", scope):
            milestones.append(milestone)
            note_unread(milestone.id, errors_before, scope)
    return tuple(milestones)


def _read_milestone(id: str, line: int, fields: Fields, scope: Scope) -> Milestone:
    metric = read_metric_name("metric", fields, scope)
    if metric is not None:
        _check_metric(metric, fields, scope)
    marks = [key for key in ("at", "every") if key in fields.keys]
    if len(marks) != 1:
        scope.add(fields.keys[marks[1]].span if marks else fields.node.span, wrong_milestone.marks(len(marks)))
    gifts = [key for key in ("give", "raise") if key in fields.keys]
    if len(gifts) != 1:
        scope.add(fields.keys[gifts[1]].span if gifts else fields.node.span, wrong_milestone.gifts(len(gifts)))
    return Milestone(
        id=id,
        metric=metric.id if metric else "",
        at=_read_mark("at", metric, fields, scope),
        every=_read_mark("every", metric, fields, scope),
        give=_read_give(fields, scope),
        raises=_read_raise(fields, scope),
        line=line,
    )


def read_metric_name(key: str, fields: Fields, scope: Scope) -> Metric | None:
    """The metric that a key names; its absence is noted."""
    node = fields.require_text(key, "name a metric of this file")
    if node is None:
        return None
    if node.text in scope.unread.metrics:
        return None
    if node.text not in scope.metrics:
        scope.add(node.span, unknown_metric.fault(node.text, list(scope.metrics)))
        return None
    return scope.metrics[node.text]


def _check_metric(metric: Metric, fields: Fields, scope: Scope) -> None:
    node = fields.text("metric")
    if node is None:
        return
    if metric.window.duration is not None or metric.window.this is not None:
        scope.add(node.span, wrong_milestone.window(metric.id))
    elif metric.per_customer:
        scope.add(node.span, wrong_milestone.per_customer(metric.id))


def _read_mark(key: str, metric: Metric | None, fields: Fields, scope: Scope) -> Money | Number | None:
    node = fields.text(key)
    if node is None or metric is None:
        return None
    mark: Money | Number | Fault
    if metric.unit is None:
        mark = read_number(node.text)
        if isinstance(mark, Fault) and isinstance(read_amount(node.text, scope.decimals_of), Money):
            mark = wrong_unit.unneeded(node.text, metric.id)
    elif read_decimal(node.text) is not None:
        mark = wrong_unit.missing(node.text, metric.id, metric.unit)
    else:
        mark = read_given_amount(node.text, scope.decimals_of)
    if isinstance(mark, Number) and mark.millionths <= 0:
        mark = amount_out_of_range.not_positive(node.text)
    if isinstance(mark, Money) and mark.unit != metric.unit and scope.has_currency:
        mark = wrong_unit.mark(mark.unit, metric.id, metric.unit or "")
    if isinstance(mark, Fault):
        scope.add(node.span, mark)
        return None
    return mark


def _read_give(fields: Fields, scope: Scope) -> Money | None:
    node = fields.text("give")
    amount = read_given_amount(node.text, scope.decimals_of) if node is not None else None
    if isinstance(amount, Fault):
        scope.add(node.span if node is not None else fields.node.span, amount)
        return None
    return amount


def _read_raise(fields: Fields, scope: Scope) -> Raise | None:
    node = fields.get("raise")
    help = "such as raise: {rule: commission, by: 1}"
    mapping = expect_map(node, scope, '"raise"', help) if node is not None else None
    if mapping is None:
        return None
    details = Fields(mapping, scope, '"raise"', ("rule", "by"))
    rule, by = details.require_text("rule", "name a reward"), details.require_text("by", "in percentage points: by: 1")
    by_ppm = read_percent_ppm(by.text) if by is not None else 0
    if by is not None and by_ppm == 0:
        by_ppm = amount_out_of_range.not_positive(by.text)
    if by is not None and isinstance(by_ppm, Fault):
        scope.add(by.span, by_ppm)
    if rule is None:
        return None
    if rule.text in scope.unread.rules:
        return None
    if rule.text not in scope.rewards:
        scope.add(rule.span, unknown_reward.fault(rule.text, list(scope.rewards)))
        return None
    if not gives_percentage(scope.rewards[rule.text].give):
        scope.add(rule.span, raise_on_fixed_amount.fault(rule.text))
    return Raise(rule.text, by_ppm if isinstance(by_ppm, int) else 0)
