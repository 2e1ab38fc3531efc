"""From what a replay found to an explanation: values in words, verdicts in sentences.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from contracts.decisions import RULE_EVENT, Decision
from contracts.events import Canary, Event, format_time
from services.rules.amounts.given import percent_text
from services.rules.amounts.measures import Kind, describe
from services.rules.clock.calendar import date_of
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.explaining.again import ruled_out
from services.rules.explaining.replay import Counted, MetricValue, Placed, Replayed, activation_of
from services.rules.explaining.told import (
    Behind,
    EventTold,
    Explanation,
    MetricTold,
    Outcome,
    RevisionTold,
    rejected_because,
)
from services.rules.states.state import ProgrammeState, RevisionRecord

BEHIND_MAX: Final = 20
"""Events named behind a metric, the newest; the others are only counted."""
NO_PROGRAMME: Final = "no programme yet"


def tell(
    event: EventTold, history: Sequence[Placed], found: Replayed, stored: ProgrammeState, *, is_decided: bool
) -> Explanation:
    """The explanation of the last event of the history."""
    target = history[-1].event
    outcome, because = outcome_of(found, is_decided=is_decided)
    revision = found.revision
    told = Explanation(
        event=event,
        outcome=outcome,
        because=because,
        revision=None if revision is None else revision.revision,
        revisions=_revisions(history, found, stored),
        tier=found.tier_before,
        tier_after=found.tier_after,
        events_replayed=found.events,
    )
    if revision is None or outcome in {"rejected", "repeat"}:
        return msgspec.structs.replace(told, decisions=plain(found.decisions))
    rules = revision.rule_set
    vocabulary = Vocabulary(rules)
    silent: list[Decision] = []
    left_out: list[str] = []
    if outcome != NO_PROGRAMME and not _is_denied_whole(found.decisions):
        silent, left_out = ruled_out(target, revision, {each.rule for each in found.decisions}, found.states)
    decided = {each.rule for each in found.decisions}
    return msgspec.structs.replace(
        told,
        metrics=[_metric(value, vocabulary) for value in found.metrics],
        taken_by=found.taken,
        decisions=plain(found.decisions),
        ruled_out=plain(silent),
        left_out=left_out,
        not_asked=[each.id for each in rules.rewards if target.type not in each.on and each.id not in decided],
    )


def outcome_of(found: Replayed, *, is_decided: bool) -> tuple[Outcome, str]:
    """What became of the event, in a word and in a sentence."""
    if not is_decided:
        return "waiting", "the rules service has not come to it yet; this is what it will decide"
    if found.problem is not None:
        return "rejected", rejected_because(found.problem)
    if found.repeats is not None and not found.decisions:
        return "repeat", f"the same source and id were counted before, at offset {found.repeats}: nothing happens twice"
    if _is_denied_whole(found.decisions) and found.decisions[0].reason == NO_PROGRAMME:
        return "no programme yet", "no revision of the programme was in force at its time"
    granted = sum(each.granted for each in found.decisions)
    if found.decisions:
        return "decided", f"{granted} granted, {len(found.decisions) - granted} denied"
    taken = f"it counts in {', '.join(found.taken)}" if found.taken else "it counts in no metric"
    return "counted", f"no rule asks for such an event here; {taken}"


def _is_denied_whole(decisions: Sequence[Decision]) -> bool:
    return bool(decisions) and decisions[0].rule == RULE_EVENT


def event_told(event: Event, *, partition: int, offset: int, recorded_at_ms: int) -> EventTold:
    return EventTold(
        type=event.type,
        source=event.source,
        id=event.id,
        time=format_time(event.time_ms),
        recorded_at=format_time(recorded_at_ms),
        programme=event.data.programme,
        partner=event.data.partner,
        partition=partition,
        offset=offset,
        data=msgspec.to_builtins(event.data),
    )


def plain(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """Every field with its meaning by name; conditions by name too, times as text."""
    return [_plain_one(each) for each in decisions]


def _plain_one(decision: Decision) -> dict[str, Any]:
    plain = msgspec.structs.asdict(decision)
    plain["event_at"] = format_time(decision.time_ms)
    plain["trace"] = [msgspec.structs.asdict(line) for line in decision.trace]
    plain["budgets"] = [msgspec.structs.asdict(claim) for claim in decision.budgets]
    return plain


def _metric(found: MetricValue, vocabulary: Vocabulary) -> MetricTold:
    metric = found.metric
    kind = vocabulary.kind(metric.id)
    newest = found.counted[-BEHIND_MAX:]
    return MetricTold(
        metric=metric.id,
        value=None if found.value is None else describe(found.value, kind, vocabulary.decimals),
        from_day=None if found.first_day is None else date_of(found.first_day).isoformat(),
        to_day=date_of(found.last_day).isoformat(),
        per_customer=metric.per_customer,
        events=len(found.counted),
        behind=[_behind(each, metric.unit, vocabulary) for each in reversed(newest)],
    )


def _behind(counted: Counted, unit: str | None, vocabulary: Vocabulary) -> Behind:
    offset, event = counted.placed
    kind = Kind("sum", unit)
    return Behind(
        type=event.type,
        source=event.source,
        id=event.id,
        time=format_time(event.time_ms),
        day=date_of(counted.day).isoformat(),
        offset=offset,
        added="" if counted.added is None else describe(counted.added, kind, vocabulary.decimals),
    )


def _revisions(history: Sequence[Placed], found: Replayed, stored: ProgrammeState) -> list[RevisionTold]:
    """Every activation in the order of the log, and why it was in force for the event, or why not."""
    activated = {activation_of(each.event): each.event.time_ms for each in history if each.event.data.ruleset}
    entered = {record.activation for record in found.entered.revisions}
    told = []
    for record in stored.revisions:
        is_in_force = record == found.record
        at_ms = activated.get(record.activation)
        told.append(
            RevisionTold(
                revision=record.revision,
                digest=record.digest,
                activated_at=None if at_ms is None else format_time(at_ms),
                effective_from=format_time(record.effective_from_ms),
                canary=None if record.canary is None else _canary(record.canary),
                is_in_force=is_in_force,
                because=_why(record, found, history[-1].event, has_entered=record.activation in entered),
            )
        )
    return told


def _why(record: RevisionRecord, found: Replayed, event: Event, *, has_entered: bool) -> str:
    since = format_time(record.effective_from_ms)
    if not has_entered:
        return "it entered the log after this event"
    if record == found.record and found.revision is not None and found.revision.in_force is not None:
        return "the referral is pinned to it: it was in force when the lead was registered (lock_terms)"
    if record.effective_from_ms > event.time_ms:
        return f"it takes effect on {since}, after this event's time"
    if record == found.record:
        why = f"the newest that had entered the log before this event and takes effect by {since}"
        return why if record.canary is None else f"{why}; as a canary, and it takes this partner"
    if record.canary is not None:
        return f"a canary for {_canary(record.canary)}, which did not take this partner then"
    assert found.record is not None, "this one would be in force"
    return f"revision {found.record.revision} is newer"


def _canary(canary: Canary) -> str:
    if canary.group is not None:
        return f"the group {canary.group}"
    return f"{percent_text(canary.share_ppm or 0)} % of the partners"
