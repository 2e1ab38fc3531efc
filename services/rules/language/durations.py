"""Durations and days under a key: `hold: 14 days`, `from: 2026-03-01`."""

from __future__ import annotations

from contracts.ruleset import Day, Duration
from services.rules.language.checks import empty_period, unreadable_value
from services.rules.language.fields import Fields
from services.rules.language.located import Fault
from services.rules.language.scope import Scope
from services.rules.language.values import read_day_or_time, read_duration


def read_duration_of(key: str, fields: Fields, scope: Scope) -> Duration | None:
    """The duration under a key, if it is there; what is wrong is noted."""
    node = fields.text(key)
    duration = read_duration(node.text) if node is not None else None
    if isinstance(duration, Fault):
        scope.add(node.span if node is not None else fields.node.span, duration)
        return None
    return duration


def read_days(fields: Fields, scope: Scope) -> tuple[int | None, int | None]:
    """The local days of `from` and `to`, both inside, since 1970-01-01; None for one that is not there."""
    first, last = (_read_day(key, fields, scope) for key in ("from", "to"))
    if first is not None and last is not None and last < first:
        nodes = [fields.text(key) for key in ("from", "to")]
        span = nodes[1].span if nodes[1] is not None else fields.node.span
        scope.add(span, empty_period.fault(*(node.text if node is not None else "" for node in nodes)))
    return first, last


def _read_day(key: str, fields: Fields, scope: Scope) -> int | None:
    node = fields.text(key)
    if node is None:
        return None
    day = read_day_or_time(node.text, scope.zone)
    if isinstance(day, Day):
        return day.epoch_day
    fault = unreadable_value.fault(node.text, "a day", "write it like 2026-03-01; the whole day is inside")
    scope.add(node.span, fault)
    return None
