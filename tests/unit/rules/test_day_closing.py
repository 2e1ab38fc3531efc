"""The close of a day: who is looked at, that their states are asked for first, and that a day closes once."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.decisions import Decision
from contracts.errors import InvariantBroken
from contracts.events import Amount, Deal, Event
from contracts.ruleset import Duration, Window
from services.rules import fold as folding
from services.rules.clock.calendar import WindowStart, day_of_date
from services.rules.clock.silences import DueDays
from services.rules.fold import Fold
from tests.support.rules import DAY_MS, PROGRAMME, START_MS, Store, activation, bytes_of, day_closed, event

RULES = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
metrics: {wins: {count: deal.won}}
"""
QUIET = RULES + "inactivity: [{id: quiet, when: wins missing for 10 days}]\n"


def won(partner: str, time_ms: int = START_MS) -> Event:
    return event(
        "deal.won",
        f"{partner}-{time_ms}",
        time_ms,
        partner=partner,
        deal=Deal(id=f"{partner}-{time_ms}", amount=Amount(1, "USD")),
    )


def told(decisions: list[Decision]) -> list[str]:
    return [each.partner for each in decisions if each.rule == "quiet"]


def test_a_fold_that_knows_nothing_asks_for_whom_it_has_to_look_at() -> None:
    store = Store()
    store.run(Fold(0), [activation(QUIET), won("b"), won("a"), won("c", START_MS + 5 * DAY_MS)])
    result = store.run(Fold(0), [day_closed(START_MS + 10 * DAY_MS)])
    assert told(result.decisions) == ["a", "b"]
    assert told(store.run(Fold(0), [day_closed(START_MS + 15 * DAY_MS)]).decisions) == ["c"]


def test_a_day_closes_once() -> None:
    store, fold = Store(), Fold(0)
    closed = day_closed(START_MS + 10 * DAY_MS)
    result = store.run(fold, [activation(QUIET), won("a"), closed, won("b", START_MS - DAY_MS), closed])
    assert told(result.decisions) == ["a"]
    assert told(store.run(Fold(0), [closed]).decisions) == []


def test_states_that_were_not_loaded_are_missed_loudly() -> None:
    store, fold = Store(), Fold(0)
    store.run(Fold(0), [activation(QUIET), won("a")])
    closed = [day_closed(START_MS + 10 * DAY_MS)]
    missing = fold.missing_keys(closed)
    missing = fold.load({key: store.values.get(key) for key in missing})
    fold.load({key: store.values.get(key) for key in missing})
    with pytest.raises(InvariantBroken, match="not loaded"):
        fold.fold(closed)


def test_who_is_too_many_for_one_day_follows_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "DUE_MAX", 2)
    store = Store()
    store.run(Fold(0), [activation(QUIET), *(won(f"p{number}", START_MS - number * DAY_MS) for number in range(5))])
    days = [day_closed(START_MS + day * DAY_MS) for day in (20, 21, 22)]
    one_by_one = [told(store.run(Fold(0), [each]).decisions) for each in days]
    assert one_by_one == [["p4", "p3"], ["p2", "p1"], ["p0"]]


def test_closing_a_day_without_silences_stores_no_alarms() -> None:
    store = Store()
    store.run(Fold(0), [activation(RULES), won("a"), day_closed(START_MS + 99 * DAY_MS)])
    assert not any(key.startswith(b"a:") for key in store.values)


def test_a_revision_that_brings_silences_looks_at_who_acts_from_then_on() -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(RULES), won("a"), won("b")])
    second = activation(QUIET, revision=2, effective_from_ms=START_MS)
    store.run(fold, [second, won("b", START_MS + DAY_MS)])
    closed = store.run(fold, [day_closed(START_MS + 50 * DAY_MS)])
    assert told(closed.decisions) == ["b"]
    assert told(store.run(fold, [won("a", START_MS + 60 * DAY_MS)]).decisions) == ["a"]


def test_one_batch_or_many_give_the_same_bytes() -> None:
    history = [activation(QUIET), *(won(f"p{number}", START_MS + number * DAY_MS // 3) for number in range(40))]
    history += [day_closed(START_MS + day * DAY_MS) for day in (9, 12, 20, 21)]
    one, many, fold = Store(), Store(), Fold(0, cache_bytes=0)
    whole = bytes_of(one.run(Fold(0), history).decisions)
    pieces: list[Decision] = []
    for start in range(0, len(history), 3):
        pieces += many.run(fold, history[start : start + 3]).decisions
    assert bytes_of(pieces) == whole
    assert many.values == one.values
    assert PROGRAMME in repr(one.values)


@pytest.mark.parametrize(
    "missing_for",
    [Duration(days=1), Duration(days=90), Duration(months=1), Duration(months=12), Duration(days=3, months=1)],
)
def test_a_silence_is_due_on_the_first_day_whose_window_does_not_reach_back(missing_for: Duration) -> None:
    due, starts = DueDays(missing_for), WindowStart(Window(duration=missing_for))
    for last in range(day_of_date(date(2023, 12, 1)), day_of_date(date(2024, 12, 31))):
        assert starts[due[last]] > last >= starts[due[last] - 1]
