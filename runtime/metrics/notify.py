"""Metrics of mails."""

from __future__ import annotations

from typing import Final

from runtime.metrics.declared import Metric

NOTIFY: Final = (
    Metric(
        "mails_total",
        "counter",
        ("notify",),
        "Mails by kind and outcome.",
        "Unknown: list them and ask the relay's log; failed: look at the reasons.",
        {
            "kind": (
                *("lead-qualified", "reward-granted", "reward-released", "reward-taken-back", "reward-waiting"),
                *("reward-denied", "reward-expiring", "reward-expired", "tier-reached"),
            ),
            "outcome": ("sent", "failed", "unknown", "too-old", "no-address", "suppressed"),
        },
    ),
    Metric(
        "mails_pending",
        "gauge",
        ("notify",),
        "Mails to be sent now or later.",
        "Growing while the relay answers: raise the rate; see also relay_reachable.",
    ),
    Metric(
        "mail_retries_total",
        "counter",
        ("notify",),
        "Mails put off: the relay was away or asked to come back later.",
        "Many: look at the relay's log.",
    ),
    Metric(
        "relay_reachable",
        "gauge",
        ("notify",),
        "1 when the mail relay took our last connection, 0 when it did not.",
        "0: mails wait, nothing is lost; look at GOODWORD_SMTP and the relay.",
    ),
)
