"""The inactivity section: a decision when a metric took nothing for a while: `sales_12m missing for 90 days`."""

from __future__ import annotations

import re
from typing import Final

from contracts.ruleset import Inactivity
from services.rules.language.checks import unknown_metric, unreadable_value, wrong_milestone
from services.rules.language.fields import Fields, expect_list, expect_map, limited
from services.rules.language.located import Fault
from services.rules.language.rule_names import take_name
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode
from services.rules.language.values import read_duration

INACTIVITY_MAX: Final = 50
_SILENCE: Final = re.compile(r"\s*(\S+)\s+missing\s+for\s+(\S.*?)\s*")


def read_inactivity(node: Node, scope: Scope) -> tuple[Inactivity, ...]:
    items = expect_list(node, scope, '"inactivity"', "write each after a dash: - id: gone-quiet")
    silences = []
    for item in limited(items, scope, "inactivity", INACTIVITY_MAX):
        mapping = expect_map(item, scope, "an inactivity", "write it as: - id: gone-quiet")
        if mapping is None:
            continue
        fields = Fields(mapping, scope, "an inactivity", ("id", "when"))
        id = fields.require_text("id")
        when = fields.require_text("when", "such as when: wins missing for 90 days")
        silence = _read_when(id.text if id else "", when, scope) if when is not None else None
        if take_name(id, "inactivity", scope) and silence is not None:
            silences.append(silence)
    return tuple(silences)


def _read_when(id: str, node: TextNode, scope: Scope) -> Inactivity | None:
    found = _SILENCE.fullmatch(node.text)
    if found is None:
        help = "write a metric and a duration: wins missing for 90 days"
        scope.add(node.span, unreadable_value.fault(node.text, "a silence", help))
        return None
    name, text = found.groups()
    duration = read_duration(text)
    if isinstance(duration, Fault):
        scope.add(node.part(found.start(2), len(text)), duration)
        return None
    metric = scope.metrics.get(name)
    if name in scope.unread.metrics:
        return None
    if metric is None:
        scope.add(node.part(found.start(1), len(name)), unknown_metric.fault(name, list(scope.metrics)))
        return None
    if metric.per_customer:
        scope.add(node.part(found.start(1), len(name)), wrong_milestone.per_customer(name, "inactivity"))
    return Inactivity(
        id=id,
        metric=name,
        missing_for=duration,
        text=" ".join(node.text.split()),
        line=node.span.line,
        column=node.start,
    )
