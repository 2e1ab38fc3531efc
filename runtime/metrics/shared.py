"""Metrics that several services have alike."""

from __future__ import annotations

from typing import Final

from runtime.metrics.declared import CONSUMERS, RECORDS, Metric

SHARED: Final = (
    Metric("batch_records", "histogram", CONSUMERS, "Records of a batch.", "None.", buckets=RECORDS),
    Metric(
        "batch_duration_seconds",
        "histogram",
        CONSUMERS,
        "Time from a batch's read to its commit.",
        "Growing: look at databases' disks.",
    ),
    Metric(
        "bus_lag_records",
        "gauge",
        CONSUMERS,
        "Records in the log not yet handled, by topic and consumer group.",
        "Growing: add a process of this service.",
        {"topic": (), "group": ()},
        why_open="topics are declared in contracts, groups in the services",
    ),
    Metric(
        "bus_lag_seconds",
        "gauge",
        CONSUMERS,
        "Age of the oldest record not yet handled, by topic and consumer group.",
        "Over the objective: add a process, or look why batches are slow.",
        {"topic": (), "group": ()},
        why_open="topics are declared in contracts, groups in the services",
    ),
    Metric(
        "retries_total",
        "counter",
        CONSUMERS,
        "Batches tried again after an outage.",
        "Look at the logs for what is away.",
    ),
    Metric(
        "dlq_records_total",
        "counter",
        CONSUMERS,
        "Records put into a dead-letter queue, by topic.",
        "`goodword dlq list` shows why.",
        {"topic": ()},
        why_open="topics are declared in contracts",
    ),
    Metric(
        "dlq_depth_records",
        "gauge",
        CONSUMERS,
        "Records in the dead-letter queue of a topic, whoever put them there and whenever.",
        "`goodword dlq list` shows each, with its reason.",
        {"topic": ()},
        why_open="topics are declared in contracts",
    ),
)
