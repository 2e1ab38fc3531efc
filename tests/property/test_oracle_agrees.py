"""The service and a third reading of the language, which reads the files by itself, grant the same, event by event.

Programmes are the files in tests/cases/oracle/, the stream is `tests.simulation.oracle.stream`, its order that of the
log. The verdict compares what is granted, in order: rule, beneficiary, minor units, unit or tier.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Event, EventData, parse_time_ms
from services.rules.fold import Fold
from tests.simulation.oracle.memory import Grant
from tests.simulation.oracle.oracle import Oracle
from tests.simulation.oracle.stream import PROGRAMME, Stream
from tests.support.rules import Store, activation

PROGRAMMES = sorted((Path(__file__).parents[1] / "cases" / "oracle").glob("*.yaml"))
BATCH = 100
RULES_GRANTED = {
    "limits": {"qualified.lead", "tier", "ql", "com", "welcome", "spring", "big", "many"},
    "lookups": {"qualified.lead", "tier", "com", "marginal", "bracket", "by-wins", "said"},
    "standing": {"qualified.lead", "tier", "ql", "com", "marginal", "first-30k", "each-25k", "trusted", "steady"},
}
"""What a stream must bring about, or it would test less than it says."""


@pytest.mark.parametrize("programme", PROGRAMMES, ids=lambda path: path.stem)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_service_grants_what_the_oracle_grants(programme: Path, seed: int) -> None:
    _compare(programme, seed)


@pytest.mark.parametrize("programme", PROGRAMMES, ids=lambda path: path.stem)
def test_known_streams_bring_about_every_rule(programme: Path) -> None:
    granted: Counter[str] = Counter()
    taken_back = 0
    for seed in range(3):
        for rule, _, minor, _ in _compare(programme, seed):
            granted[rule] += 1
            taken_back += minor is not None and minor < 0
    assert RULES_GRANTED[programme.stem] <= granted.keys(), granted
    assert bool(taken_back) == ("clawback" in programme.read_text())


def _compare(programme: Path, seed: int) -> list[Grant]:
    text = programme.read_text()
    stream = Stream(seed).events
    have = _granted(text, stream)
    oracle = Oracle(text)
    everything: list[Grant] = []
    arrived: Counter[str] = Counter()
    for event in stream:
        arrived[event["id"]] += 1
        want = oracle.event(event)
        # The service knows a repeat as well: the second arrival grants nothing, and all is asked of the first.
        if arrived[event["id"]] == 1:
            assert have[event["id"]] == want, (programme.stem, seed, event)
        else:
            assert want == []
        everything += want
    return everything


def _granted(text: str, stream: list[dict[str, Any]]) -> defaultdict[str, list[Grant]]:
    store, fold = Store(), Fold(0)
    assert not store.run(fold, [activation(text, programme=PROGRAMME)]).rejected
    events = [
        Event(
            type=each["type"],
            source=each["source"],
            id=each["id"],
            time_ms=parse_time_ms(each["time"]),
            data=msgspec.convert(each["data"], EventData),
        )
        for each in stream
    ]
    granted: defaultdict[str, list[Grant]] = defaultdict(list)
    for first in range(0, len(events), BATCH):
        result = store.run(fold, events[first : first + BATCH])
        assert not result.rejected, result.rejected[0]
        for each in result.decisions:
            if each.granted:
                unit = each.unit if each.amount_minor is not None else each.tier_to
                granted[each.event_id].append((each.rule, each.beneficiary, each.amount_minor, unit))
    return granted
