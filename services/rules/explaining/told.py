"""What an explanation says: values of one event's fate, as `--json` and HTTP give them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from contracts.errors import Problem

Outcome = Literal[
    "decided", "counted", "repeat", "rejected", "no programme yet", "unattributed", "broadcast", "waiting"
]
"""`counted`: decided, and no rule had anything to say. `waiting`: the rules service has not come to it yet."""


class EventTold(msgspec.Struct, frozen=True, kw_only=True):
    """The event as it stands in the log."""

    type: str
    source: str
    id: str
    time: str
    recorded_at: str
    programme: str
    partner: str | None
    partition: int
    offset: int
    data: Any


class Arrival(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record of the event. `repeats` is the offset of the one that was counted."""

    offset: int
    recorded_at: str
    outcome: Outcome
    because: str
    repeats: int | None = None


class RevisionTold(msgspec.Struct, frozen=True, kw_only=True):
    """An activation of a revision in this partition, and why it was in force for the event, or why not.

    `canary` says in words for whom it is alone; None: for everybody.
    """

    revision: int
    digest: str
    activated_at: str | None
    effective_from: str
    canary: str | None
    is_in_force: bool
    because: str


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a metric counted. `added` is what it brought, in words; empty of a `distinct`."""

    type: str
    source: str
    id: str
    time: str
    day: str
    offset: int
    added: str


class MetricTold(msgspec.Struct, frozen=True, kw_only=True):
    """What a metric came to before the event; the newest events behind it, and how many there are in all.

    `from_day` of None: from the beginning.
    """

    metric: str
    value: str | None
    from_day: str | None
    to_day: str
    per_customer: bool
    events: int
    behind: list[Behind]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one event of one partner.

    Attributes:
        outcome, because: What became of it, in a word and in a sentence.
        revision: In force for it; None before the first.
        tier, tier_after: Before and after it; None without tiers.
        metrics: As they were before it, in file order.
        taken_by: Metrics that counted it.
        decisions: All fields of `contracts.decisions.Decision`, in order.
        ruled_out: Denials of rewards that were too many to be decided one by one (ADR 0006), judged again.
        left_out: More of these, by id.
        not_asked: Rewards that ask for other event types.
        events_replayed: Of the partner, this one included.
    """

    event: EventTold
    outcome: Outcome
    because: str
    arrivals: list[Arrival] = []
    revision: int | None = None
    revisions: list[RevisionTold] = []
    tier: str | None = None
    tier_after: str | None = None
    metrics: list[MetricTold] = []
    taken_by: list[str] = []
    decisions: list[dict[str, Any]] = []
    ruled_out: list[dict[str, Any]] = []
    left_out: list[str] = []
    not_asked: list[str] = []
    events_replayed: int = 0


def rejected_because(problem: Problem) -> str:
    """Why an event is in the dead-letter queue."""
    return f"it is in the dead-letter queue: {problem.message} [{problem.code}]"
