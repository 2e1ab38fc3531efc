"""A canary: some partners first, the same ones in every replay, and an end that everybody sees."""

from __future__ import annotations

import pytest

from contracts.decisions import Decision
from contracts.events import Amount, Canary, Deal, Event, PartnerProfile
from services.rules.fold import Fold
from services.rules.revisions.canary import place_ppm
from tests.support.rules import PROGRAMME, START_MS, Store, activation, event

RULES = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
rewards:
  - id: paid
    on: deal.won
    give: {amount} USD
"""
ONE, TWO = RULES.replace("{amount}", "1"), RULES.replace("{amount}", "2")
PARTNERS = [f"p{number}" for number in range(400)]
FROM_MS = START_MS + 1_000
QUARTER = Canary(base=1, share_ppm=250_000)


def won(partner: str, time_ms: int, name: str = "") -> Event:
    return event("deal.won", f"{partner}{name}", time_ms, partner=partner, deal=Deal(id=name, amount=Amount(1, "USD")))


def revisions(decisions: list[Decision]) -> dict[str, int]:
    return {each.partner: each.revision for each in decisions}


def all_deals(time_ms: int, name: str) -> list[Event]:
    return [won(partner, time_ms, name) for partner in PARTNERS]


def chosen(share_ppm: int, revision: int = 2) -> set[str]:
    return {partner for partner in PARTNERS if place_ppm(PROGRAMME, revision, partner) < share_ppm}


def begun(canary: Canary) -> tuple[Store, Fold]:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(ONE), activation(TWO, revision=2, effective_from_ms=FROM_MS, canary=canary, number=2)])
    return store, fold


def test_a_canary_takes_its_share_and_the_others_stay_under_the_base() -> None:
    store, fold = begun(QUARTER)
    result = store.run(fold, all_deals(FROM_MS, "a"))
    expected = chosen(250_000)
    assert 60 < len(expected) < 140
    assert revisions(result.decisions) == {partner: 2 if partner in expected else 1 for partner in PARTNERS}
    assert {each.amount_minor for each in result.decisions if each.revision == 2} == {200}


def test_a_place_is_frozen_and_a_wider_share_keeps_whom_it_had() -> None:
    assert [place_ppm("saas", 2, name) for name in ("moses", "p1")] == [436_606, 299_908]
    assert chosen(10_000) <= chosen(100_000) <= chosen(1_000_000) == set(PARTNERS)
    assert chosen(100_000) != chosen(100_000, revision=3), "the next canary begins with others"


def test_widened_narrowed_promoted_and_ended_each_time_by_an_activation() -> None:
    """The number of the activation tells news from a repeat, not the revision's."""
    store, fold = begun(QUARTER)
    steps = [
        (2, TWO, Canary(base=1, share_ppm=500_000), chosen(500_000)),
        (2, TWO, Canary(base=1, share_ppm=100_000), chosen(100_000)),
        (1, ONE, None, set[str]()),
        (2, TWO, Canary(base=1, share_ppm=100_000), chosen(100_000)),
        (2, TWO, None, set(PARTNERS)),
    ]
    for number, (revision, text, canary, under_two) in enumerate(steps, 3):
        time_ms = FROM_MS + number * 1_000
        step = activation(text, revision=revision, effective_from_ms=time_ms, canary=canary, number=number)
        store.run(fold, [step, step])
        made = revisions(store.run(fold, all_deals(time_ms, f"d{number}")).decisions)
        assert {partner for partner, used in made.items() if used == 2} == under_two, number


def test_a_late_event_is_under_what_was_in_force_for_its_partner_then() -> None:
    store, fold = begun(QUARTER)
    store.run(fold, [activation(ONE, revision=1, effective_from_ms=FROM_MS + 1_000, number=3)])
    store.run(fold, all_deals(FROM_MS + 2_000, "now"))
    assert set(revisions(store.run(fold, all_deals(FROM_MS - 1, "before")).decisions).values()) == {1}
    during = revisions(store.run(fold, all_deals(FROM_MS + 1, "during")).decisions)
    assert {partner for partner, used in during.items() if used == 2} == chosen(250_000)


def test_a_group_is_taken_as_the_profile_says_at_the_event() -> None:
    store, fold = begun(Canary(base=1, group="pilots"))

    def profile(name: str, groups: list[str]) -> Event:
        return event("partner.updated", name, FROM_MS, partner="p1", profile=PartnerProfile(groups=groups))

    history = [
        won("p1", FROM_MS, "a"),
        profile("joins", ["pilots", "east"]),
        won("p1", FROM_MS, "b"),
        won("p2", FROM_MS, "b"),
        profile("leaves", ["east"]),
        won("p1", FROM_MS, "c"),
    ]
    assert [each.revision for each in store.run(fold, history).decisions] == [1, 2, 1, 1]


@pytest.mark.parametrize(
    "canary",
    [
        Canary(base=1),
        Canary(base=1, share_ppm=0),
        Canary(base=1, share_ppm=1_000_000),
        Canary(base=1, share_ppm=-5, group="pilots"),
        Canary(base=1, share_ppm=5, group="pilots"),
        Canary(base=1, group=""),
    ],
    ids=repr,
)
def test_a_canary_for_nobody_for_everybody_or_for_both_kinds_is_refused(canary: Canary) -> None:
    bad = activation(TWO, revision=2, canary=canary, number=2)
    result = Store().run(Fold(0), [activation(ONE), bad, won("p1", FROM_MS)])
    assert [(index, problem.code) for index, problem in result.rejected] == [(1, "bad-canary")]
    assert [each.revision for each in result.decisions] == [1]


def test_an_activation_that_was_of_something_else_is_refused() -> None:
    other = activation(TWO, revision=2, canary=Canary(base=1, share_ppm=1), number=2)
    store, fold = begun(QUARTER)
    assert [problem.code for _, problem in store.run(fold, [other]).rejected] == ["revision-conflict"]


def test_while_no_canary_runs_no_partner_is_asked_for() -> None:
    """Ordinary programmes pay nothing: the slow way is not gone before, and not any more after a canary."""
    store, fold = begun(QUARTER)
    store.run(fold, [activation(TWO, revision=2, effective_from_ms=FROM_MS + 1, number=3)])
    asked = place_ppm.cache_info().hits + place_ppm.cache_info().misses
    assert set(revisions(store.run(fold, all_deals(FROM_MS + 1, "a")).decisions).values()) == {2}
    assert place_ppm.cache_info().hits + place_ppm.cache_info().misses == asked
