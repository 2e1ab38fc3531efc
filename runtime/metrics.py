"""Every metric, declared once: name, kind, meaning, and what to do about it.

Names are `goodword_<service>_<what>_<unit>`; label values come from closed lists (never a partner or event id)
and are created at the start, so that a zero shows. docs/operations.md lists this catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from contracts.events import EVENT_TYPES

SERVICES: Final = ("tracking", "rules", "rewards", "notify")
CONSUMERS: Final = ("rules", "rewards", "notify")
STAGES: Final = (
    "granted",
    "claimed",
    "released",
    "voided",
    "clawed_back",
    "adjusted",
    "allotted",
    "written_off",
    "expired",
    "reserved",
    "redeemed",
    "credited",
    "cancelled",
    "payout_prepared",
    "payout_approved",
    "payout_sent",
    "paid",
    "payout_fee",
    "payout_returned",
    "payout_cancelled",
    "converted",
    "rounded",
    "fee_charged",
    "fee_refunded",
)
PAYOUT_STATES: Final = ("prepared", "approved", "sent")
"""Of those that are not finished."""
HOLD_AGES: Final = ("over-365-days", "under-365-days", "under-90-days", "under-30-days")
"""By the time of the event, the oldest first."""
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RECORDS: Final = (1, 5, 10, 50, 100, 250, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one or several services.

    Attributes:
        what: The name after `goodword_<service>_`.
        labels: Label name to its closed list of values; an empty list is filled as values occur,
            and `why_open` says why that stays bounded.
        action: What an operator does about it.
    """

    what: str
    kind: Literal["counter", "gauge", "histogram"]
    services: tuple[str, ...]
    help: str
    action: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    buckets: tuple[float, ...] = SECONDS
    why_open: str = ""


CATALOGUE: Final = (
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
    Metric("transfers_total", "counter", ("rewards",), "Transfers posted, by stage.", "None.", {"stage": STAGES}),
    Metric(
        "postings_refused_total",
        "counter",
        ("rewards",),
        "Postings refused, by reason.",
        "`goodword ledger explain` shows why.",
        {"reason": ("conflict", "refused")},
    ),
    Metric("duplicates_total", "counter", ("rewards",), "Decisions delivered again and posted once.", "None."),
    Metric(
        "trial_balance_minor",
        "gauge",
        ("rewards",),
        "Sum of all balances by unit: must be 0.",
        "Not 0: stop the service and run `goodword ledger trial-balance`.",
        {"unit": ()},
        why_open="units are the rule sets'",
    ),
    Metric(
        "outbox_pending_batches",
        "gauge",
        ("rewards",),
        "Fact batches committed and not yet on the bus.",
        "Growing: look at the bus.",
    ),
    Metric(
        "transfers_unpartitioned_count",
        "gauge",
        ("rewards",),
        "Transfers that lie in no month's partition, up to 100,000: of events before 1990 or far ahead.",
        "Growing: look at the times of the events that senders give; reading and posting work, but slower when many.",
    ),
    Metric(
        "holds_count",
        "gauge",
        ("rewards",),
        "Rewards on hold, by how long ago they were earned.",
        "None.",
        {"age": HOLD_AGES},
    ),
    Metric(
        "holds_overdue_seconds",
        "gauge",
        ("rewards",),
        "How long the oldest hold that is over has been waiting for its release.",
        "Growing: the rewards service's log says what keeps the clockwork from releasing.",
    ),
    Metric(
        "decisions_waiting",
        "gauge",
        ("rewards",),
        "Decisions that the ledger keeps until what they wait for is there.",
        "`goodword ledger waiting` shows each with its reason.",
    ),
    Metric(
        "redemptions_reserved",
        "gauge",
        ("rewards",),
        "Redemptions that wait to be fulfilled.",
        "Growing: nobody fulfils them; `goodword redemptions list --state reserved` shows each.",
    ),
    Metric(
        "payouts_count",
        "gauge",
        ("rewards",),
        "Payouts that are not finished, by state.",
        "None.",
        {"state": PAYOUT_STATES},
    ),
    Metric(
        "payouts_oldest_seconds",
        "gauge",
        ("rewards",),
        "How long the oldest payout in each state has been in it.",
        "Days: somebody has to approve or send it, or to ask the bank; `goodword payouts list --open`.",
        {"state": PAYOUT_STATES},
    ),
    Metric(
        "invariant_offenders",
        "gauge",
        ("rewards",),
        "Rows that break a promise about money, up to ten, by promise: must be 0.",
        "Not 0: the service's log names the rows; trust the transfers, which nobody can alter.",
        {
            "invariant": (
                "trial-balance",
                "balances-match-transfers",
                "holds-match-pending",
                "budgets-match-accounts",
                "redemptions-match-reserved",
                "payouts-match-transfers",
            )
        },
    ),
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
"""All metrics of all services. A test holds docs/operations.md against it."""


def package_version() -> str:
    try:
        return version("goodword")
    except PackageNotFoundError:
        return "0+source"


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._by_name: dict[str, Counter | Gauge | Histogram] = {}
        for metric in CATALOGUE:
            if service in metric.services:
                self._by_name[metric.what] = _create(metric, service, self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Gauge("goodword_build_info", "Version of this build.", ["service", "version"], registry=self.registry)
        build.labels(service, package_version()).set(1)

    def counter(self, what: str) -> Counter:
        """A counter of the catalogue; KeyError when this service does not declare it."""
        found = self._by_name[what]
        assert isinstance(found, Counter)
        return found

    def gauge(self, what: str) -> Gauge:
        found = self._by_name[what]
        assert isinstance(found, Gauge)
        return found

    def histogram(self, what: str) -> Histogram:
        found = self._by_name[what]
        assert isinstance(found, Histogram)
        return found

    def exposition(self) -> bytes:
        """The text format 0.0.4 that Prometheus scrapes."""
        return generate_latest(self.registry)


def _create(metric: Metric, service: str, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name = f"goodword_{service}_{metric.what}"
    labels = tuple(metric.labels)
    created: Counter | Gauge | Histogram
    if metric.kind == "counter":
        created = Counter(name, metric.help, labels, registry=registry)
    elif metric.kind == "gauge":
        created = Gauge(name, metric.help, labels, registry=registry)
    else:
        created = Histogram(name, metric.help, labels, registry=registry, buckets=metric.buckets)
    if labels:
        for values in product(*metric.labels.values()):
            created.labels(*values)
    return created
