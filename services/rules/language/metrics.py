"""The metrics section: numbers that a partner, or a customer of a partner, has."""

from __future__ import annotations

import re
from typing import Final

from contracts.ruleset import Metric, Window
from services.rules.language.checks import (
    bad_name,
    file_over_limit,
    path_not_here,
    sum_without_amount,
    unknown_event_type,
    unreadable_value,
    wrong_metric,
    wrong_type,
)
from services.rules.language.event_types import RULE_EVENT_TYPES, read_event_types
from services.rules.language.fields import NAME_LENGTH_MAX, Fields, expect_map
from services.rules.language.located import Fault
from services.rules.language.paths import RESERVED_NAMES, TYPE_WORDS, KnownPath, can_be_in, known_path
from services.rules.language.scope import Scope
from services.rules.language.source import MapNode, Node, TextNode
from services.rules.language.values import read_window

METRICS_MAX: Final = 200
KINDS: Final = ("sum", "count", "distinct", "mean")
METRIC_KEYS: Final = (*KINDS, "on", "minus", "over", "per")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def read_metrics(node: Node, scope: Scope) -> tuple[Metric, ...]:
    """All metrics; each is known to the scope from then on, a broken one as unread, so that no use of it is judged."""
    mapping = expect_map(node, scope, '"metrics"', "write it as: sales: {sum: deal.amount, on: deal.won}")
    entries = mapping.entries if mapping else ()
    if len(entries) > METRICS_MAX:
        scope.add(entries[METRICS_MAX][0].span, file_over_limit.too_many("metrics", METRICS_MAX))
    for key, value in entries[:METRICS_MAX]:
        if key.text in RESERVED_NAMES:
            scope.add(key.span, bad_name.taken(key.text, "a metric"))
            continue
        if not _NAME.fullmatch(key.text) or len(key.text) > NAME_LENGTH_MAX:
            help = "use lower-case letters, digits and _, beginning with a letter"
            scope.add(key.span, bad_name.fault(key.text, "a metric", help))
            scope.unread.metrics.add(key.text)
            continue
        details = expect_map(value, scope, f"the metric {key.text}", "such as {count: deal.won}")
        metric = _read_metric(key, Fields(details, scope, "a metric", METRIC_KEYS), scope) if details else None
        if metric is None:
            scope.unread.metrics.add(key.text)
        scope.metrics[key.text] = metric or Metric(id=key.text, kind="count", of=None, on=())
    return tuple(scope.metrics.values())


def read_counted(key: TextNode, node: MapNode, scope: Scope) -> Metric | None:
    """What a contest counts: a metric without a window, per partner."""
    return _read_metric(key, Fields(node, scope, "a contest's metric", (*KINDS, "on", "minus")), scope)


def _read_metric(key: TextNode, fields: Fields, scope: Scope) -> Metric | None:
    """The metric, or None when it is not even known what it counts, and in which unit."""
    kinds = [kind for kind in KINDS if kind in fields.keys]
    if len(kinds) != 1:
        at = fields.keys[kinds[1]].span if kinds else key.span
        scope.add(at, wrong_metric.kinds(len(kinds)))
        return None
    kind = kinds[0]
    of = _read_of(kind, fields, scope) if kind != "count" else None
    metric = Metric(
        id=key.text,
        kind=kind,
        of=of.name if of else None,
        on=_read_on(kind, of, fields, scope),
        minus=_read_minus(kind, of, fields, scope),
        window=_read_over(fields, scope),
        per_customer=_read_per(fields, scope),
        unit=scope.currency if of is not None and of.type == "amount" else None,
        line=key.span.line,
    )
    return metric if (of is not None or kind in ("count", "distinct")) and not fields.has_unknown else None


def _read_of(kind: str, fields: Fields, scope: Scope) -> KnownPath | None:
    """The path that is summed, averaged or told apart; None when there is none that could be."""
    node = fields.text(kind)
    if node is None:
        return None
    found = known_path(node.text)
    if found is None:
        offset, length, fault = scope.explain_unknown(node.text)
        scope.add(node.part(offset, length), fault)
        return None
    if kind == "distinct":
        if found.type not in ("text", "attribute") or found.name == "tier":
            fault = wrong_type.path(found.name, TYPE_WORDS[found.type], "a text of the event", "such as customer.id")
            scope.add(node.span, fault)
            return None
        return found
    if found.type not in ("amount", "number"):
        scope.add(node.span, sum_without_amount.fault(kind, found.name, TYPE_WORDS[found.type]))
        return None
    return found


def _read_on(kind: str, of: KnownPath | None, fields: Fields, scope: Scope) -> tuple[str, ...]:
    if kind == "count":
        if "on" in fields.keys:
            scope.add(fields.keys["on"].span, wrong_metric.count_with_on())
        events = fields.get("count")
        return read_event_types(events, scope, '"count"') if events is not None else ()
    if "on" not in fields.keys:
        scope.add(fields.keys[kind].span, wrong_metric.without_on(kind))
    node = fields.get("on")
    on = read_event_types(node, scope, '"on"') if node is not None else ()
    if of is not None and on and not any(can_be_in(of.name, each) for each in on):
        path = fields.text(kind)
        scope.add(path.span if path else fields.node.span, path_not_here.never_in(of.name, on))
    return on


def _read_minus(kind: str, of: KnownPath | None, fields: Fields, scope: Scope) -> str | None:
    node = fields.text("minus")
    if node is None:
        return None
    if node.text not in RULE_EVENT_TYPES:
        scope.add(node.span, unknown_event_type.fault(node.text, RULE_EVENT_TYPES))
    elif kind != "sum" or (of is not None and of.name != "deal.amount") or node.text != "deal.refunded":
        scope.add(fields.keys["minus"].span, wrong_metric.minus())
    return node.text


def _read_over(fields: Fields, scope: Scope) -> Window:
    node = fields.text("over")
    window = read_window(node.text) if node is not None else Window()
    if isinstance(window, Fault):
        scope.add(node.span if node else fields.node.span, window)
        return Window()
    return window


def _read_per(fields: Fields, scope: Scope) -> bool:
    node = fields.text("per")
    if node is not None and node.text != "customer":
        help = "metrics are per partner; the only other way is per: customer"
        scope.add(node.span, unreadable_value.fault(node.text, "what a metric can be counted per", help))
    return node is not None
