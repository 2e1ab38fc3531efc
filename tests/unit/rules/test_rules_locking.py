"""`lock_terms: lead`: a referral keeps the rewards of the revision under which its lead was registered."""

from __future__ import annotations

from contracts.decisions import Decision
from contracts.events import Amount, Customer, Deal, Event, Lead, PartnerProfile
from services.rules.fold import Fold
from tests.support.rules import DAY_MS, START_MS, Store, activation, event

OLD = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
lock_terms: lead
metrics:
  sold: {sum: deal.amount, on: deal.won}
  same: {count: deal.won}
tiers:
  - id: bronze
  - id: silver
    when: [sold >= 1_000 USD]
rewards:
  - {id: paid, on: deal.won, when: [sold < 1_000 USD], give: {percent: 10, of: deal.amount}}
  - {id: old-only, on: [deal.won, deal.renewed], give: 1 USD}
"""
NEW = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
metrics:
  sold: {sum: deal.amount, on: deal.won, over: 7 days}
  same: {count: deal.won}
  fresh: {count: deal.won}
tiers:
  - id: bronze
  - id: silver
    when: [fresh >= 2]
rewards:
  - {id: paid, on: deal.won, give: {percent: 1, of: deal.amount}}
"""


def _deal(id: str, day: int, *, lead: str | None = None, minor: int = 10_000, type: str = "deal.won") -> Event:
    return event(
        type,
        f"{id}-{type}-{day}",
        START_MS + day * DAY_MS,
        deal=Deal(id=id, amount=Amount(minor, "USD")),
        customer=Customer(id="c"),
        lead=Lead(id=lead) if lead else None,
        period="p" if type == "deal.renewed" else None,
    )


def _lead(id: str, day: int) -> Event:
    return event("lead.registered", f"lead-{id}", START_MS + day * DAY_MS, lead=Lead(id=id))


def _told(decisions: list[Decision]) -> list[tuple[str, int, int | None]]:
    return [(each.rule, each.revision, each.amount_minor) for each in decisions if each.granted]


def _newer(day: int, text: str = NEW) -> Event:
    return activation(text, revision=2, effective_from_ms=START_MS + day * DAY_MS)


def test_a_referral_keeps_the_rewards_under_which_its_lead_was_registered() -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(OLD), _lead("l", 0), _newer(1)])
    made = store.run(fold, [_deal("a", 2, lead="l"), _deal("b", 2), _deal("c", 2, lead="unknown")]).decisions
    assert _told(made) == [
        ("paid", 1, 1_000),
        ("old-only", 1, 100),
        ("paid", 2, 100),
        ("tier", 2, None),
        ("paid", 2, 100),
    ]


def test_a_deal_remembers_its_lead_also_through_a_restart() -> None:
    store = Store()
    store.run(Fold(0), [activation(OLD), _lead("l", 0), _deal("a", 0, lead="l", type="deal.opened"), _newer(1)])
    made = store.run(Fold(0), [_deal("a", 2), _deal("a", 3, type="deal.renewed")]).decisions
    assert _told(made) == [("paid", 1, 1_000), ("old-only", 1, 100), ("old-only", 1, 100)]


def test_a_lead_of_before_the_lock_is_not_pinned() -> None:
    store, fold = Store(), Fold(0)
    unlocked = OLD.replace("lock_terms: lead\n", "")
    store.run(fold, [activation(unlocked), _lead("l", 0), _newer(1, NEW + "lock_terms: lead\n"), _lead("m", 2)])
    newest = activation(OLD, revision=3, effective_from_ms=START_MS + 3 * DAY_MS)
    made = store.run(fold, [newest, _deal("a", 4, lead="l"), _deal("b", 4, lead="m")]).decisions
    assert _told(made) == [("paid", 3, 1_000), ("old-only", 3, 100), ("paid", 2, 100)]


def test_tiers_and_metrics_are_those_in_force_for_pinned_referrals_too() -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(OLD), _lead("l", 0), _newer(1)])
    # The old condition would make it silver at once, and the new metric has to see the pinned deal.
    made = store.run(fold, [_deal("a", 2, lead="l", minor=200_000)]).decisions
    assert [each.rule for each in made if each.granted] == ["paid", "old-only"]
    made = store.run(fold, [_deal("b", 2)]).decisions
    assert _told(made) == [("paid", 2, 100), ("tier", 2, None)]


def test_a_metric_that_changed_its_meaning_is_read_as_it_was_meant() -> None:
    store, fold = Store(), Fold(0)
    store.run(fold, [activation(OLD), _lead("l", 0), _deal("z", 0, minor=100_000), _newer(1)])
    made = store.run(fold, [_deal("a", 30, lead="l")]).decisions
    # Nothing was sold within the new seven days, but the old lifetime sum is over its bound.
    assert [each.reason for each in made if each.rule == "paid"] == ["sold < 1_000 USD"]


def test_what_counts_for_pinned_referrals_is_the_same_however_batched() -> None:
    history = [
        activation(OLD),
        event("partner.registered", "joined", START_MS, profile=PartnerProfile(status="active")),
        _lead("l", 0),
        _deal("a", 0, lead="l", type="deal.opened"),
        _newer(1),
        _lead("m", 1),
        _deal("a", 2),
        _deal("b", 2, lead="m"),
        _deal("a", 3, type="deal.renewed"),
    ]
    whole, singly = Store(), Store()
    decisions = whole.run(Fold(0), history).decisions
    made = [each for event in history for each in singly.run(Fold(0), [event]).decisions]
    assert made == decisions
    assert singly.values == whole.values
