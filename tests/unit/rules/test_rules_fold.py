"""The fold around the rules: revisions, what cannot be judged, ids, the ends of memory, the index of many rewards."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.decisions import Decision
from contracts.errors import InvariantBroken
from contracts.events import Amount, Customer, Deal, Event, EventData, RulesetActivated, Survey
from contracts.ids import decision_id
from goodword.bench.rules import PROGRAMME as BENCH
from goodword.bench.rules import make_events, rule_set
from services.rules.deciding import considered
from services.rules.fold import Fold
from services.rules.states.children import LeadState, StateUnreadable, lead_key, owner_of, seen_key
from services.rules.states.state import (
    decided_key,
    decode_decided,
    decode_partner,
    decode_programme,
    partner_key,
    programme_key,
)
from tests.support.rules import DAY_MS, PROGRAMME, START_MS, Store, activation, bytes_of, event

RULES = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
rewards:
  - id: paid
    on: [deal.won, survey.answered]
    give: {amount}
"""
ONE, TWO = RULES.replace("{amount}", "1 USD"), RULES.replace("{amount}", "2 USD")


def won(id: str, time_ms: int = START_MS, **data: Any) -> Event:
    return event("deal.won", id, time_ms, deal=Deal(id=id, amount=Amount(100, "USD")), **data)


def paid(decisions: list[Decision]) -> list[int | None]:
    return [each.amount_minor for each in decisions]


def test_decision_ids_are_those_of_the_contract() -> None:
    odd = ("e", 'quote " and \\ slash', "naïve ☃ \U0001f600", "tab\tand\x00nul\x7f", "a" * 300)
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(ONE)])
    for number, id in enumerate(odd):
        one = won(f"d{number}", START_MS + number, customer=Customer(id="c", name=id))
        one = msgspec.structs.replace(one, id=id, source=f"crm/{id}")
        (decision,) = store.run(fold, [one]).decisions
        assert decision.id == decision_id(
            time_ms=one.time_ms,
            programme=PROGRAMME,
            source=one.source,
            event_id=id,
            rule="paid",
            beneficiary="partner:moses",
        )


@pytest.mark.parametrize("time_ms", [-62_135_596_800_000, -1, 0, 253_402_300_799_999])
def test_times_outside_of_an_id_are_clipped_as_in_the_contract(time_ms: int) -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(ONE, effective_from_ms=-(2**62))])
    (decision,) = store.run(fold, [won("d", time_ms)]).decisions
    assert decision.id == decision_id(
        time_ms=time_ms, programme=PROGRAMME, source="crm", event_id="d", rule="paid", beneficiary="partner:moses"
    )


def test_a_later_revision_starts_after_what_was_decided() -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(ONE), won("a", START_MS + 10), activation(TWO, revision=2)])
    result = store.run(fold, [won("b", START_MS + 10), won("c", START_MS + 11), won("d", START_MS)])
    assert paid(result.decisions) == [100, 200, 100]
    programme = decode_programme(store.values[programme_key(PROGRAMME)])
    assert [each.effective_from_ms for each in programme.revisions] == [0, START_MS + 11]
    assert decode_decided(store.values[decided_key(PROGRAMME)]) == START_MS + 11


def test_the_first_revision_reaches_back_over_events_that_had_no_programme() -> None:
    store, fold = Store(), Fold(0)
    history = [won("a", START_MS + 10), activation(ONE, effective_from_ms=START_MS), won("b"), won("c", 5)]
    result = store.run(fold, history)
    assert [each.reason for each in result.decisions] == ["no programme yet", "", "no programme yet"]
    assert [each.revision for each in result.decisions] == [0, 1, 0]


def test_activating_again_changes_nothing_and_other_content_is_refused() -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(ONE)])
    before = dict(store.values)
    result = store.run(fold, [activation(ONE), activation(TWO)])
    assert [(index, problem.code) for index, problem in result.rejected] == [(1, "revision-conflict")]
    assert store.values == before


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (activation("schema: goodword/v1\n"), "missing-key"),
        (activation(ONE.replace("saas", "other")), "wrong-programme"),
        (event("deal.won", "x", START_MS, partner=None, deal=Deal(id="d", amount=Amount(1, "USD"))), "missing-field"),
    ],
)
def test_what_cannot_be_judged_is_rejected_and_the_rest_goes_on(bad: Event, code: str) -> None:
    result = Store().run(Fold(0), [bad, activation(ONE, revision=7), won("d")])
    assert [(index, problem.code) for index, problem in result.rejected] == [(0, code)]
    assert paid(result.decisions) == [100]


def test_other_broadcasts_change_nothing() -> None:
    store = Store()
    closed = Event(type="clock.day_closed", source="g", id="1", time_ms=START_MS, data=EventData(programme=PROGRAMME))
    result = store.run(Fold(0), [closed])
    assert (result.decisions, result.rejected, store.values) == ([], [], {})


def test_seen_days_are_dropped_when_the_memory_leaves_them() -> None:
    store, fold = Store(), Fold(0)
    survey = Survey(kind="nps", score=1)
    day = START_MS // DAY_MS
    store.run(fold, [activation(ONE)])
    for after, is_kept in ((0, True), (90, True), (91, False)):
        store.run(fold, [event("survey.answered", f"s{after}", START_MS + after * DAY_MS, survey=survey)])
        assert (seen_key(owner_of(PROGRAMME, "moses"), day) in store.values) == is_kept
    result = store.run(fold, [event("survey.answered", "late", START_MS, survey=survey)])
    assert [problem.code for _, problem in result.rejected] == ["too-late-to-tell"]


def test_a_partner_registered_today_may_bring_years_of_history() -> None:
    store, fold = Store(), Fold(0)
    survey = Survey(kind="nps", score=1)
    later = START_MS + 3_000 * DAY_MS
    result = store.run(
        fold,
        [
            activation(ONE),
            event("partner.registered", "p", later),
            event("survey.answered", "s", START_MS, survey=survey),
        ],
    )
    assert not result.rejected
    assert paid(result.decisions) == [100]


def test_a_state_of_another_version_is_refused() -> None:
    fold = Fold(0)
    with pytest.raises(StateUnreadable, match="version 9"):
        fold.load({partner_key(PROGRAMME, "moses"): msgspec.msgpack.encode([9])})


def test_a_child_without_its_partner_is_refused() -> None:
    with pytest.raises(InvariantBroken, match="not the partner"):
        Fold(0).load({lead_key(owner_of(PROGRAMME, "moses"), "l"): LeadState().encode()})


def test_a_stored_revision_that_cannot_be_read_any_more_stops_the_fold() -> None:
    from services.rules.states.state import ProgrammeState, RevisionRecord, encode_programme

    stored = encode_programme(ProgrammeState(revisions=(RevisionRecord(1, "d", 0, "nonsense", 1),)))
    with pytest.raises(InvariantBroken, match="cannot be read"):
        Fold(0).load({programme_key(PROGRAMME): stored})


def test_traceparents_go_with_their_decisions() -> None:
    one = msgspec.structs.replace(won("d"), traceparent="00-aa-bb-01")
    result = Store().run(Fold(0), [activation(ONE), won("c"), one])
    assert result.traceparents == ["", "00-aa-bb-01"]


def test_the_same_event_for_two_partners_is_decided_for_each() -> None:
    result = Store().run(Fold(0), [activation(ONE), won("d", partner="p0"), won("d", partner="p1")])
    assert [each.partner for each in result.decisions] == ["p0", "p1"]
    assert len({each.id for each in result.decisions}) == 2


def test_the_index_of_many_rewards_rules_out_only_what_would_be_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = make_events(3_000)
    with_index = _bench_decisions(stream)
    monkeypatch.setattr(considered, "DENIALS_PER_EVENT_MAX", 10_000)
    everything = _bench_decisions(stream)
    assert len(with_index) < len(everything)
    chosen = {each.id for each in with_index}
    kept = [each for each in everything if each.id in chosen]
    assert bytes_of(kept) == bytes_of(with_index)
    assert not [each for each in everything if each.granted and each.id not in chosen]


def _bench_decisions(stream: list[Event]) -> list[Decision]:
    from services.rules.revisions.in_force import compile_source

    compile_source.cache_clear()
    text = rule_set(100)
    activated = RulesetActivated(revision=1, digest="d", effective_from_ms=0, source_text=text)
    data = EventData(programme=BENCH, ruleset=activated)
    start = Event(type="ruleset.activated", source="g", id="r", time_ms=0, data=data)
    result = Store().run(Fold(0), [start, *stream])
    assert not result.rejected
    return result.decisions


def test_the_stored_partner_tells_the_tier() -> None:
    tiers = ONE + "metrics:\n  wins: {count: deal.won}\ntiers:\n  - id: bronze\n"
    tiers += "  - id: silver\n    when:\n      - wins >= 2\n"
    store, fold = Store(), Fold(0)
    for number, tier in enumerate(("bronze", "silver")):
        store.run(fold, [activation(tiers), won(f"d{number}")])
        assert decode_partner(PROGRAMME, "moses", store.values[partner_key(PROGRAMME, "moses")]).tier == tier
