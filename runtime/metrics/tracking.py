"""Metrics of the front door."""

from __future__ import annotations

from typing import Final

from contracts.events import EVENT_TYPES
from runtime.metrics.declared import Metric

TRACKING: Final = (
    Metric(
        "events_total",
        "counter",
        ("tracking",),
        "Events at the front door by type and outcome.",
        "Many rejected: look at the senders' answers; many conflicts: a sender reuses ids.",
        {"type": (*EVENT_TYPES, "unknown"), "outcome": ("accepted", "duplicate", "conflict", "rejected")},
    ),
    Metric(
        "requests_total",
        "counter",
        ("tracking",),
        "Requests to POST /v1/events by status code.",
        "503: the log is away; 413: a sender's batches are too large.",
        {"status": ("202", "400", "401", "403", "408", "409", "413", "415", "422", "503")},
    ),
    Metric(
        "request_duration_seconds",
        "histogram",
        ("tracking",),
        "Time to answer POST /v1/events, log durable.",
        "Growing: look at the log's disk.",
    ),
    Metric("dedupe_hits_total", "counter", ("tracking",), "Events seen before under the same id.", "None."),
    Metric(
        "clicks_total",
        "counter",
        ("tracking",),
        "Redirects by outcome.",
        "Many unknown: a link was deleted.",
        {"outcome": ("recorded", "unknown", "lost")},
    ),
    Metric(
        "inflight_bytes", "gauge", ("tracking",), "Bytes of request bodies in hand.", "At its limit: add a process."
    ),
)
