"""What a shadow shows of itself on /metrics: counts of this process since it started, with bounded labels."""

from __future__ import annotations

from typing import Final

from runtime.metrics import Metrics
from services.rules.shadowing.differences import Differences

OTHER: Final = "other"


class ShadowObserver:
    """Feeds the metrics, once a batch. Beyond `rule_labels_max` rules and units, further ones are `other`."""

    def __init__(self, metrics: Metrics, *, rule_labels_max: int) -> None:
        self._running = metrics.gauge("shadow_running")
        self._events = metrics.counter("shadow_events_total")
        self._decisions = metrics.counter("shadow_decisions_total")
        self._difference = metrics.gauge("shadow_difference_minor")
        self._labels: set[tuple[str, str, str]] = set()
        self._labels_max = rule_labels_max

    def running(self, is_running: bool) -> None:
        self._running.set(int(is_running))

    def decided(self, programme: str, events: int, differences: Differences) -> None:
        self._events.inc(events)
        for (rule, unit, _), each in differences.sums.items():
            labels = self._labelled(programme, rule, unit)
            self._decisions.labels(*labels[:2], "differs").inc(each.differing)
            self._decisions.labels(*labels[:2], "same").inc(each.same)
            # Units do not add up, so what has no label of its own is counted above only.
            if unit and labels[0] != OTHER:
                self._difference.labels(*labels).inc(each.after_minor - each.before_minor)

    def _labelled(self, programme: str, rule: str, unit: str) -> tuple[str, str, str]:
        labels = programme, rule, unit
        if labels not in self._labels:
            if len(self._labels) >= self._labels_max:
                return OTHER, OTHER, OTHER
            self._labels.add(labels)
        return labels
