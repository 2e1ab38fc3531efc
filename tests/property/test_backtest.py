"""A back-test decides what live decided: history against itself is zero, and its sums are those of the live decisions.

Random programmes and histories (`tests.support.rules`), with and without a second revision in the middle. Resuming at
random points and other cuts are in tests/unit/goodword/test_backtesting.py, where the checkpoints are real.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Canary, Event
from services.rules.fold import Fold
from tests.support.backtests import HISTORY, backtest, draft
from tests.support.rules import DAY_MS, START_MS, Store, activation, day_closed, random_history, random_rule_set


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_revision_in_force_against_history_is_all_zero(seed: int) -> None:
    history, text = _history(seed), random_rule_set(seed)
    history.insert(random.Random(seed).randrange(20), activation(text, effective_from_ms=START_MS + DAY_MS))
    report = backtest(history, text)
    assert report.is_equal, report


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_its_sums_are_those_of_what_live_decided(seed: int) -> None:
    history = _history(seed)
    first, second = random_rule_set(seed), random_rule_set(seed + 1)
    history.insert(0, activation(first))
    canary = Canary(base=1, share_ppm=500_000) if seed % 3 == 0 else None
    history.insert(150, activation(second, revision=2, effective_from_ms=START_MS + 30 * DAY_MS, canary=canary))
    granted: Counter[tuple[str, str]] = Counter()
    for decision in Store().run(Fold(0), history).decisions:
        if decision.granted and decision.amount_minor is not None:
            granted[decision.rule, str(decision.unit)] += decision.amount_minor
    report = backtest(history, second, batch=7)
    reported: Counter[tuple[str, str]] = Counter()
    for rule in report.rules:
        reported[rule.rule, rule.unit] += rule.before_minor
    assert +reported == +granted
    assert sum(total.before_minor for total in report.totals) == granted.total()
    assert sum(month.before_minor for month in report.months) == granted.total()
    assert sum(tier.after_minor for tier in report.tiers) == sum(total.after_minor for total in report.totals)


@pytest.mark.parametrize("seed", range(5))
def test_two_sides_are_each_what_they_are_alone(seed: int) -> None:
    history, one, other = _history(seed), random_rule_set(seed), random_rule_set(seed + 100)
    always = {"is_always": True}
    both = backtest(history, other, draft(one, **always), draft(other, **always))
    swapped = backtest(history, other, draft(other, **always), draft(one, **always), batch=300)
    assert {(each.name, each.unit): (each.before_minor, each.after_minor) for each in both.partners} == {
        (each.name, each.unit): (each.after_minor, each.before_minor) for each in swapped.partners
    }
    assert backtest(history, one, draft(one, **always), draft(one, **always)).is_equal
    assert both.moves == sorted(
        (type(move)(before=move.after, after=move.before, partners=move.partners) for move in swapped.moves),
        key=lambda move: (-len(move.partners), move.before, move.after),
    )


def test_before_the_first_revision_and_without_any_the_draft_decides_as_documented() -> None:
    history, text = _history(3), random_rule_set(3)
    assert backtest(history, text, HISTORY, draft(text)).totals == []
    assert backtest(history, text, HISTORY, draft(text, is_always=True)).totals != []


def _history(seed: int) -> list[Event]:
    history = random_history(seed, 300, spread_days=200)
    draw = random.Random(seed)
    for number in range(10):
        history.insert(draw.randrange(len(history)), day_closed(START_MS + number * 20 * DAY_MS))
    return history
