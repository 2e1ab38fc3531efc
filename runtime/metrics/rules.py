"""Metrics of deciding."""

from __future__ import annotations

from typing import Final

from runtime.metrics.declared import Metric

RULES: Final = (
    Metric(
        "fold_duration_seconds",
        "histogram",
        ("rules",),
        "Time of the pure fold of one batch.",
        "Growing: simplify the rule set.",
    ),
    Metric(
        "decisions_total",
        "counter",
        ("rules",),
        "Decisions by programme, rule and verdict.",
        "A rule that stopped granting: explain one of its events.",
        {"programme": (), "rule": (), "verdict": ()},
        why_open="rules are the published rule sets', capped",
    ),
    Metric(
        "fencing_refusals_total",
        "counter",
        ("rules",),
        "State writes refused because another process owns the partition.",
        "More than a few at a deploy: two processes fight for partitions.",
    ),
    Metric(
        "state_cache_bytes", "gauge", ("rules",), "Partner states kept in this process.", "At its limit: add a process."
    ),
    Metric("shadow_running", "gauge", ("rules",), "1 while a draft is decided beside what is in force.", "None."),
    Metric(
        "shadow_events_total",
        "counter",
        ("rules",),
        "Events that a draft was tried on beside what is in force.",
        "None while a shadow runs and events arrive: `goodword rules shadow --status`.",
    ),
    Metric(
        "shadow_decisions_total",
        "counter",
        ("rules",),
        "Grants of a shadow by programme, rule, and whether both sides granted the same.",
        "`goodword rules shadow --status` shows examples of what differs.",
        {"programme": (), "rule": (), "outcome": ()},
        why_open="rules are those of two stored revisions, capped",
    ),
    Metric(
        "shadow_difference_minor",
        "gauge",
        ("rules",),
        "What a draft would have granted more (or less) than what is in force, since this process began; paid is none.",
        "None.",
        {"programme": (), "rule": (), "unit": ()},
        why_open="rules and units are those of two stored revisions, capped",
    ),
)
