"""The fold and a second, simpler reading of the language decide alike, on random programmes and histories.

Histories stay within 90 days, so that memory never runs out; one partner's events are given to a model of its own.
The verdict compares every decision (rule, verdict, beneficiary, amount) in order, and the tier at the end.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.rules.fold import Fold
from services.rules.language import read_rule_set
from services.rules.states.state import decode_partner, partner_key
from tests.simulation.model import PartnerModel
from tests.simulation.money import Exchange
from tests.support.rules import (
    DAY_MS,
    PROGRAMME,
    START_MS,
    Store,
    activation,
    day_closed,
    random_history,
    random_rule_set,
)


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_fold_and_model_decide_alike(seed: int) -> None:
    _compare(seed)


@pytest.mark.parametrize("seed", range(30))
def test_fold_and_model_decide_alike_on_known_seeds(seed: int) -> None:
    _compare(seed)


def _compare(seed: int) -> None:
    text = random_rule_set(seed)
    rules = read_rule_set(text, path=f"seed-{seed}.yaml")
    history = random_history(seed, 150)
    for day in range(0, 70, 6):
        history.insert(round(len(history) * day / 70), day_closed(START_MS + day * DAY_MS))
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(text)])
    exchange = Exchange()
    models = {f"p{number}": PartnerModel(rules, f"p{number}", exchange) for number in range(3)}
    for number, event in enumerate(history):
        result = store.run(fold, [event])
        if event.data.rates is not None:
            exchange.tell(event.data.rates)
            continue
        assert not result.rejected
        assert all(each.revision == 1 for each in result.decisions)
        decided = [(each.rule, each.granted, each.beneficiary, each.amount_minor) for each in result.decisions]
        if event.type == "clock.day_closed":
            told = [each for model in models.values() for each in model.close(event.time_ms)]
            assert sorted(map(str, decided)) == sorted(map(str, told)), f"seed {seed}, event {number}: {event}\n{text}"
            continue
        expected = models[event.data.partner or ""].decide(event)
        assert decided == expected, f"seed {seed}, event {number}: {event}\n{result.decisions}\n{text}"
        bounds = {
            each.rule: (
                each.available_at_ms,
                each.expires_at_ms,
                tuple((claim.budget, claim.period) for claim in each.budgets),
            )
            for each in result.decisions
            if each.rule.startswith("r") and each.granted and each.takes_back is None
        }
        assert bounds == models[event.data.partner or ""].bounds.extras, f"seed {seed}, event {number}: {event}\n{text}"
    for partner, model in models.items():
        stored = decode_partner(PROGRAMME, partner, store.values[partner_key(PROGRAMME, partner)])
        assert stored.tier == model.tier
