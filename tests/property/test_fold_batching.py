"""However events are cut into batches, wherever the process dies and however little memory it has: the same bytes.

A random history with a second revision in it, perhaps a canary, is folded once in a single batch; then again in random
batches, with crashes between publishing and writing, restarts, and a cache that holds almost nothing. Decisions and
stored states must be equal byte by byte; what a crash publishes twice must be equal to what was published before it.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Canary, Event
from services.rules.fold import Fold
from tests.support.rules import (
    DAY_MS,
    START_MS,
    Store,
    activation,
    bytes_of,
    day_closed,
    random_history,
    random_rule_set,
)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), cache_bytes=st.sampled_from((0, 5_000, 2**28)))
def test_any_batching_and_any_crash_give_the_same_bytes(seed: int, cache_bytes: int) -> None:
    _compare(seed, cache_bytes)


@pytest.mark.parametrize("seed", range(10))
def test_any_batching_and_any_crash_give_the_same_bytes_on_known_seeds(seed: int) -> None:
    _compare(seed, 2**28)


def _compare(seed: int, cache_bytes: int) -> None:
    draw = random.Random(seed)
    history = _history(seed, draw)
    whole = Store()
    result = whole.run(Fold(0), history)
    decided = bytes_of(result.decisions)
    rejected = len(result.rejected)

    store, fold, published, refused, start = Store(), Fold(0, cache_bytes=cache_bytes), [], 0, 0
    crashed: list[bytes] = []
    while start < len(history):
        batch = history[start : start + draw.randint(1, 40)]
        store.bring(fold, batch)
        folded = fold.fold(batch)
        made = bytes_of(folded.decisions)
        if crashed:
            assert made[: len(crashed)] == crashed[: len(made)]
            crashed = []
        fate = draw.random()
        if fate < 0.15:
            crashed = made
            fold.discard()
            continue
        if fate < 0.3:
            crashed = made
            fold = Fold(0, cache_bytes=cache_bytes)
            continue
        store.write(fold)
        published += made
        refused += len(folded.rejected)
        start += len(batch)
    assert published == decided
    assert refused == rejected
    assert store.values == whole.values


def _history(seed: int, draw: random.Random) -> list[Event]:
    history = random_history(seed, 300, spread_days=300)
    for number in range(20):
        history.insert(draw.randrange(len(history)), day_closed(START_MS + (number * 15 + draw.randrange(9)) * DAY_MS))
    first, second = random_rule_set(seed), random_rule_set(seed + 1)
    at = draw.randrange(len(history))
    if draw.random() < 0.5:  # The second revision is a canary first, and then for all or for nobody.
        canary = draw.choice((Canary(base=1, share_ppm=500_000), Canary(base=1, group="pilots")))
        text, revision = draw.choice(((first, 1), (second, 2)))
        after = activation(text, revision=revision, effective_from_ms=START_MS + 90 * DAY_MS, number=3)
        history.insert(draw.randrange(at, len(history)), after)
    else:
        canary = None
    entering = activation(second, revision=2, effective_from_ms=START_MS + 30 * DAY_MS, canary=canary)
    history.insert(at, entering)
    history.insert(min(at, 5), activation(first))
    history.insert(draw.randrange(at, len(history)), activation(first))
    return history
