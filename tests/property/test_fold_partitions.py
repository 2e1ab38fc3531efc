"""However many partitions the log has, and however large the batches: a partner's decisions are the same bytes.

Every partition gets the events of its partners and all broadcasts (revisions, rates, closed days), as the bus delivers
them. A revision enters in the middle of the history, as the gate lets it: not over time that any partition has decided.
What comes out is compared partner by partner, in order; then once more as a rebuild does it, from an empty store.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.decisions import encode_decision
from contracts.events import BROADCAST_TYPES, Event
from services.rules.fold import Fold
from tests.support.rules import DAY_MS, START_MS, Store, activation, day_closed, random_history, random_rule_set

PARTNERS = 6


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9), partitions=st.integers(2, PARTNERS))
def test_any_number_of_partitions_gives_the_same_decisions(seed: int, partitions: int) -> None:
    _compare(seed, partitions)


@pytest.mark.parametrize("seed", range(5))
def test_any_number_of_partitions_gives_the_same_decisions_on_known_seeds(seed: int) -> None:
    for partitions in (2, 3, PARTNERS):
        _compare(seed, partitions)


def _compare(seed: int, partitions: int) -> None:
    log = _log(seed)
    alone = _decided(log, 1, batch=len(log))
    assert any(alone.values())
    for batch in (1, 17, len(log)):
        assert _decided(log, partitions, batch=batch) == alone, (
            f"seed {seed}, {partitions} partitions, batches of {batch}"
        )


def _decided(log: list[Event], partitions: int, *, batch: int) -> dict[str, list[bytes]]:
    """The decisions of each partner, in order."""
    decided: dict[str, list[bytes]] = {f"p{number}": [] for number in range(PARTNERS)}
    for partition in range(partitions):
        own = [event for event in log if event.type in BROADCAST_TYPES or _partition(event, partitions) == partition]
        store, fold = Store(), Fold(partition)
        for start in range(0, len(own), batch):
            for decision in store.run(fold, own[start : start + batch]).decisions:
                decided[decision.partner].append(encode_decision(decision))
    return decided


def _partition(event: Event, partitions: int) -> int:
    assert event.data.partner is not None
    return int(event.data.partner[1:]) % partitions


def _log(seed: int) -> list[Event]:
    draw = random.Random(seed)
    log = random_history(seed, 200, partners=PARTNERS, spread_days=150)
    for number in range(6):
        log.insert(draw.randrange(len(log)), day_closed(START_MS + number * 25 * DAY_MS))
    at = draw.randrange(20, len(log))
    decided_ms = max(event.time_ms for event in log[:at])
    log.insert(at, activation(random_rule_set(seed + 1), revision=2, effective_from_ms=decided_ms + 1))
    log.insert(0, activation(random_rule_set(seed)))
    return log
