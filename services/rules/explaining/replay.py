"""One partner's history played again up to one event, and what the event met: tier, metrics, revision, decisions.

Pure. The fold is the one that decides live events, so what comes out is what was decided, byte for byte. Which events
are behind a metric is seen by watching the partner's series while the events pass: an event was counted in what it
changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from contracts.decisions import Decision
from contracts.errors import Problem
from contracts.events import BROADCAST_TYPES, Event
from contracts.ruleset import Metric
from services.rules.clock.calendar import WindowStart, Zone
from services.rules.compile import CompiledRevision
from services.rules.fold import Fold
from services.rules.states.series import DistinctSeries, Series, SumSeries, series_id
from services.rules.states.state import (
    PartnerState,
    ProgrammeState,
    RevisionRecord,
    decided_key,
    encode_decided,
    encode_programme,
    programme_key,
)

ACTIVATED: Final = "ruleset.activated"
_BROADCASTS: Final = frozenset(BROADCAST_TYPES)
UNLIMITED: Final = 2**62
_WATCHED: Final = msgspec.Raw(b"\xc0")
"""In place of a series' bytes, which whatever adds to the series drops."""


class Placed(NamedTuple):
    """An event and its offset in the log."""

    offset: int
    event: Event


class Counted(NamedTuple):
    """An event that a metric took, and what it added: minor units, a number, or 1; of a `distinct`, no number.

    `day` is the local day that it was counted on, by the timezone of the revision that it was decided by.
    """

    placed: Placed
    day: int
    added: int | None


class MetricValue(NamedTuple):
    """What a metric came to before the event.

    Attributes:
        value: A number or minor units; of a mean, sum and count; None: no value.
        first_day, last_day: The window, in local days; None where it has no beginning.
        counted: What lies in the window, in the order of arrival.
    """

    metric: Metric
    value: int | tuple[int, int] | None
    first_day: int | None
    last_day: int
    counted: list[Counted]


class Replayed(NamedTuple):
    """What the event met, and what came of it.

    Attributes:
        revision, record: In force for it, and how it entered the log; None before the first.
        entered: The revisions that had entered the partition before it.
        tier_before: None for a partner without one.
        taken: Metrics that counted the event itself.
        decisions: Of the event itself.
        problem: Why it belongs into the dead-letter queue; None: it does not.
        repeats: The offset of the first arrival, when the event was counted before under its source and id.
        states: What was stored before it, by the fold's keys.
    """

    revision: CompiledRevision | None
    record: RevisionRecord | None
    entered: ProgrammeState
    tier_before: str | None
    tier_after: str | None
    metrics: list[MetricValue]
    taken: list[str]
    decisions: list[Decision]
    problem: Problem | None
    repeats: int | None
    states: Mapping[bytes, bytes | None]
    events: int


def replay(history: Sequence[Placed], revisions: ProgrammeState) -> Replayed:
    """Play the events; the last one is the one in question.

    Args:
        history: Events of one partner in one programme and the broadcasts of their partition, in order.
        revisions: Those that entered the partition, with the times from which they were in force there. These
            depend on what others had decided by then, which the partner's own events do not tell.
    """
    target = history[-1]
    programme, partner = target.event.data.programme, target.event.data.partner
    assert partner is not None, "the caller asks for events of a partner"
    fold = Fold(0, cache_bytes=UNLIMITED)
    passed = [each.event for each in history]
    # Nothing is stored of anything; but that must be said of what belongs to the programme, and of the partner.
    load(fold, dict.fromkeys(fold.missing_keys([*(each for each in passed if each.type in _BROADCASTS), passed[-1]])))
    watch, zones = _Watch(), _Zones()
    first_arrival: dict[tuple[str, str], int] = {}
    zone: Zone | None = None
    for placed in history[:-1]:
        event = placed.event
        if event.type == ACTIVATED:
            enter(fold, event, revisions)
            names = fold.revisions(programme).timezones
            zone = zones[names[0]] if len(names) == 1 else None
            continue
        if event.type in _BROADCASTS:
            fold.fold((event,))
            continue
        day_by = zone
        if zone is None:
            by = _in_force(fold, event)
            day_by = None if by is None else zones[by[1].rule_set.timezone]
        if not fold.fold((event,)).rejected:
            first_arrival.setdefault((event.source, event.id), placed.offset)
            if day_by is not None:
                watch.look(fold.partner(programme, partner), placed, day_by)
    before = fold.partner(programme, partner)
    record, revision = _in_force(fold, target.event) or (None, None)
    tier_before = None if before is None else before.tier
    metrics = [] if revision is None else _metrics(before, target.event, revision, watch)
    watch.end()
    states = fold.take_dirty()
    result = fold.fold((target.event,))
    after = fold.partner(programme, partner)
    return Replayed(
        revision=revision,
        record=record,
        entered=ProgrammeState(revisions=_entered(history, revisions)),
        tier_before=tier_before,
        tier_after=None if after is None else after.tier,
        metrics=metrics,
        taken=[] if revision is None else _taken(after, target.event, revision),
        decisions=result.decisions,
        problem=result.rejected[0][1] if result.rejected else None,
        repeats=first_arrival.get((target.event.source, target.event.id)),
        states=states,
        events=sum(event.type not in _BROADCASTS for event in passed),
    )


def load(fold: Fold, values: Mapping[bytes, bytes | None]) -> None:
    """Load, and what shows to be needed besides, until nothing is."""
    more = fold.load(values)
    while more:
        more = fold.load(dict.fromkeys(more))


def _in_force(fold: Fold, event: Event) -> tuple[RevisionRecord, CompiledRevision] | None:
    """By what the event would be decided now, and how that entered."""
    return fold.revisions(event.data.programme).entered_of(event, fold.partner_or_new(event))


def enter(fold: Fold, event: Event, revisions: ProgrammeState) -> None:
    """Let a revision enter as it did: from the time on that is stored with it."""
    place = next(
        (place for place, each in enumerate(revisions.revisions) if each.activation == activation_of(event)), None
    )
    if place is None:
        # Not stored (the store was emptied, say): as the event itself wants it.
        fold.fold((event,))
        return
    entered = ProgrammeState(revisions=revisions.revisions[: place + 1])
    programme = event.data.programme
    since_ms = revisions.revisions[place].effective_from_ms
    marks = encode_decided(since_ms - 1, fold.revisions(programme).closed_ms)
    load(fold, {programme_key(programme): encode_programme(entered), decided_key(programme): marks})


def _entered(history: Sequence[Placed], revisions: ProgrammeState) -> tuple[RevisionRecord, ...]:
    numbers = {activation_of(each.event) for each in history if each.event.data.ruleset is not None}
    return tuple(record for record in revisions.revisions if record.activation in numbers)


def activation_of(event: Event) -> int:
    """The number of an activation: a revision may enter more than once, as a canary first."""
    ruleset = event.data.ruleset
    assert ruleset is not None
    return ruleset.activation or ruleset.revision


class _Zones(dict[str, Zone]):
    """Timezones by name; a revision may change the programme's."""

    def __missing__(self, name: str) -> Zone:
        zone = self[name] = Zone(name)
        return zone


class _Watch:
    """Which events each series took, seen from outside."""

    def __init__(self) -> None:
        self._counted: dict[tuple[int, str | None], list[Counted]] = {}
        self._totals: dict[tuple[int, str | None], int] = {}
        self._watched: list[Series] = []

    def look(self, state: PartnerState | None, placed: Placed, zone: Zone) -> None:
        """After an event: note what it changed."""
        if state is None:
            return
        for id, series in state.series.items():
            if series.packed is not _WATCHED:
                self._note((id, None), series, placed, zone)
        customer = placed.event.data.customer
        own = None if customer is None else state.customers.get(customer.id)
        if customer is not None and own is not None:
            for id, series in own.series.items():
                if series.packed is not _WATCHED:
                    self._note((id, customer.id), series, placed, zone)

    def _note(self, key: tuple[int, str | None], series: Series, placed: Placed, zone: Zone) -> None:
        series.packed = _WATCHED
        counted = self._counted.get(key)
        if counted is None:
            counted = self._counted[key] = []
            self._watched.append(series)
        added: int | None = None
        if not isinstance(series, DistinctSeries):
            total = series.total if isinstance(series, SumSeries) else series.total.total
            added = total - self._totals.get(key, 0)
            self._totals[key] = total
        counted.append(Counted(placed, zone.day_of(placed.event.time_ms), added))

    def counted(self, id: int, customer: str | None) -> list[Counted]:
        return self._counted.get((id, customer), [])

    def end(self) -> None:
        """Watch no more; the series are encoded anew."""
        for series in self._watched:
            series.packed = None


def _taken(state: PartnerState | None, event: Event, revision: CompiledRevision) -> list[str]:
    """The metrics whose series the last event changed: all others still have the bytes that they were stored as."""
    return [
        metric.id
        for metric in revision.rule_set.metrics
        if (series := _holder(metric, state, event).get(series_id(metric))) is not None and series.packed is None
    ]


def _holder(metric: Metric, state: PartnerState | None, event: Event) -> Mapping[int, Series]:
    """The partner's series, or those of the event's customer."""
    if state is None:
        return {}
    if not metric.per_customer:
        return state.series
    customer = None if event.data.customer is None else state.customers.get(event.data.customer.id)
    return {} if customer is None else customer.series


def _metrics(state: PartnerState | None, event: Event, revision: CompiledRevision, watch: _Watch) -> list[MetricValue]:
    """Every metric of the rule set as the event met it, in file order."""
    day = Zone(revision.rule_set.timezone).day_of(event.time_ms)
    return [_metric(metric, state, event, day, watch) for metric in revision.rule_set.metrics]


def _metric(metric: Metric, state: PartnerState | None, event: Event, day: int, watch: _Watch) -> MetricValue:
    id = series_id(metric)
    first_day = WindowStart(metric.window)[day]
    customer = event.data.customer if metric.per_customer else None
    value: int | tuple[int, int] | None = None
    if metric.kind != "mean" and not (metric.per_customer and customer is None):
        value = 0
    series = _holder(metric, state, event).get(id)
    if series is not None:
        value = series.between(first_day, day)
    taken = watch.counted(id, None if customer is None else customer.id)
    counted = [each for each in taken if first_day <= each.day <= day]
    has_beginning = metric.window.duration is not None or metric.window.this is not None
    return MetricValue(metric, value, first_day if has_beginning else None, day, counted)
