"""What an explanation says is what was decided: a partner's events played alone give the bytes that the log gave.

A random history of several partners, with two revisions, perhaps a canary, and exchange rates, is folded as the
service does. Then, for each event, only its own partner's records (and the broadcasts) are played again. Decisions must
be equal byte by byte; the events named behind every metric must add up to its value; and what is said of the event's
fate must hold.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import BROADCAST_TYPES, Canary, Event
from services.rules.explaining.replay import MetricValue, Placed, Replayed, replay
from services.rules.explaining.telling import event_told, tell
from services.rules.fold import Fold
from services.rules.states.state import ProgrammeState, decode_programme, programme_key
from tests.support.rules import (
    DAY_MS,
    PROGRAMME,
    START_MS,
    Store,
    activation,
    bytes_of,
    random_history,
    random_rule_set,
    rates_published,
)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_a_partner_played_alone_gives_what_was_decided(seed: int) -> None:
    _compare(seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_partner_played_alone_gives_what_was_decided_on_known_seeds(seed: int) -> None:
    _compare(seed)


def _compare(seed: int) -> None:
    draw = random.Random(seed)
    history = _history(seed, draw)
    store, fold = Store(), Fold(0)
    decided, rejected = [], []
    for event in history:
        result = store.run(fold, (event,))
        decided.append(bytes_of(result.decisions))
        rejected.append(bool(result.rejected))
    revisions = decode_programme(store.values[programme_key(PROGRAMME)])
    outcomes: Counter[str] = Counter()
    for offset in sorted(draw.sample(range(len(history)), 40)):
        event = history[offset]
        if event.type in BROADCAST_TYPES:
            continue
        played = _of_partner(history[: offset + 1], event)
        found = replay(played, revisions)
        assert bytes_of(found.decisions) == decided[offset]
        assert (found.problem is not None) == rejected[offset]
        for metric in found.metrics:
            _adds_up(metric)
        outcomes[_told(played, found, revisions, offset)] += 1
    assert outcomes["decided"] + outcomes["counted"]


def _of_partner(history: list[Event], event: Event) -> list[Placed]:
    return [
        Placed(offset, each)
        for offset, each in enumerate(history)
        if each.data.partner == event.data.partner or each.type in BROADCAST_TYPES
    ]


def _adds_up(metric: MetricValue) -> None:
    kind, counted = metric.metric.kind, metric.counted
    if kind in {"sum", "count"}:
        assert metric.value is None or metric.value == sum(each.added or 0 for each in counted)
    elif kind == "mean" and metric.value is not None:
        assert metric.value == (sum(each.added or 0 for each in counted), len(counted))
    elif kind == "distinct":
        customers = {each.placed.event.data.customer.id for each in counted if each.placed.event.data.customer}
        assert metric.value == len(customers)


def _told(played: list[Placed], found: Replayed, revisions: ProgrammeState, offset: int) -> str:
    shown = event_told(played[-1].event, partition=0, offset=offset, recorded_at_ms=START_MS)
    told = tell(shown, played, found, revisions, is_decided=True)
    assert told.because
    assert [each["id"] for each in told.decisions] == [each.id for each in found.decisions]
    in_force = [each.revision for each in told.revisions if each.is_in_force]
    assert in_force == ([] if told.revision is None else [told.revision])
    if told.outcome == "repeat":
        assert found.repeats is not None
        assert found.repeats < offset
    return told.outcome


def _history(seed: int, draw: random.Random) -> list[Event]:
    history = random_history(seed, 250, spread_days=200)
    second = random_rule_set(seed + 1)
    canary = draw.choice((None, Canary(base=1, share_ppm=500_000)))
    if canary is not None:
        history.insert(draw.randint(200, 240), activation(second, revision=2, number=3))
    history.insert(draw.randint(100, 200), activation(second, revision=2, canary=canary))
    history.insert(draw.randint(0, 20), activation(random_rule_set(seed), effective_from_ms=START_MS + 5 * DAY_MS))
    for number in range(4):
        rates = rates_published(f"2024-0{draw.randint(3, 9)}-01", EUR_USD=f"1.{number}")
        history.insert(draw.randrange(len(history)), rates)
    return history
