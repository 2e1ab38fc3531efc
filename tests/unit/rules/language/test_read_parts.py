"""What each part of the language becomes: all of it once, from whole_language.yaml beside this file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from contracts.money import Money
from contracts.ruleset import (
    Bracket,
    Brackets,
    Duration,
    Inactivity,
    Limit,
    Lookup,
    Number,
    Override,
    PercentOf,
    Raise,
    Reward,
    Row,
    Rows,
    RuleSet,
    TierPrice,
    givens_of,
)
from services.rules.language import lint_text, read_rule_set
from tests.unit.rules.language.lint_cases import HEAD

WHOLE = (Path(__file__).parent / "whole_language.yaml").read_text(encoding="utf-8")
EPOCH = date(1970, 1, 1).toordinal()


@pytest.fixture(scope="module")
def whole() -> RuleSet:
    return read_rule_set(WHOLE, path="whole.yaml")


@pytest.fixture(scope="module")
def rewards(whole: RuleSet) -> dict[str, Reward]:
    return {reward.id: reward for reward in whole.rewards}


def test_the_whole_language_reads_without_a_problem() -> None:
    assert lint_text(WHOLE, "whole.yaml") == []


def test_limits_count_or_sum(rewards: dict[str, Reward]) -> None:
    count, amount = rewards["qualified-lead"].limits
    assert (count.per, count.count, count.amount, count.text) == ("month", 20, None, "20 per month")
    assert (amount.per, amount.count, amount.amount) == ("year", None, Money(300_000, "USD"))
    assert [(each.per, each.count) for each in rewards["large-deals"].limits] == [("customer", 1), ("ever", 100)]


def test_durations_of_a_reward(rewards: dict[str, Reward]) -> None:
    commission = rewards["commission"]
    assert (commission.lasts, commission.hold) == (Duration(months=24), Duration(days=30))
    assert commission.clawback == Duration(days=180)
    assert rewards["spring-credit"].hold is None


def test_rows_keep_their_order_and_what_matches_anything(rewards: dict[str, Reward]) -> None:
    half, one, two = (PercentOf(ppm, "deal.amount") for ppm in (5_000, 10_000, 20_000))
    assert rewards["by-product"].give == Rows(
        by=("tier", "deal.product"), rows=(Row(("gold", "GTX Pro"), two), Row(("gold", None), one)), otherwise=half
    )


def test_brackets_have_bounds_and_can_be_marginal(rewards: dict[str, Reward]) -> None:
    marginal, points = rewards["large-deals"].give, rewards["survey-points"].give
    assert isinstance(marginal, Brackets)
    assert isinstance(points, Brackets)
    assert [bracket.at for bracket in marginal.brackets] == [Money(m, "USD") for m in (0, 1_000_000, 5_000_000)]
    assert (marginal.marginal, marginal.otherwise) == (True, None)
    assert points.brackets[0] == Bracket(Number(1_000_000), Money(5, "POINTS"))
    assert (points.marginal, points.otherwise) == (False, Money(0, "POINTS"))


def test_everything_given_is_told_in_file_order(rewards: dict[str, Reward]) -> None:
    assert [each.percent_ppm for each in givens_of(rewards["by-product"].give) if isinstance(each, PercentOf)] == [
        *(20_000, 10_000),
        5_000,
    ]
    assert givens_of(rewards["welcome-credit"].give) == (Money(10_000, "CREDIT"),)
    assert isinstance(rewards["commission"].give, Lookup)
    assert len(givens_of(rewards["commission"].give)) == 4


def test_groups_name_their_rewards(whole: RuleSet) -> None:
    assert [(group.id, group.rewards) for group in whole.groups] == [
        ("customer-credit", ("welcome-credit", "spring-credit"))
    ]


def test_milestones_give_once_each_time_or_raise(whole: RuleSet) -> None:
    once, each, trusted = whole.milestones
    assert (once.metric, once.at, once.every, once.give) == (
        *("sales_total", Money(10_000_000, "USD"), None),
        Money(100_000, "USD"),
    )
    assert (each.at, each.every, each.give) == (None, Money(5_000_000, "USD"), Money(1, "PERK:early-access"))
    assert (trusted.give, trusted.raises) == (None, Raise("commission", 10_000))


def test_a_silence_is_a_metric_and_a_duration(whole: RuleSet) -> None:
    (quiet,) = whole.inactivity
    text = "sales_12m missing for 90 days"
    expected = Inactivity(id="gone-quiet", metric="sales_12m", missing_for=Duration(days=90), text=text)
    assert (quiet.id, quiet.metric, quiet.missing_for, quiet.text) == (
        *(expected.id, expected.metric),
        *(expected.missing_for, expected.text),
    )


def test_a_contest_has_days_and_prizes_by_rank(whole: RuleSet) -> None:
    (race,) = whole.contests
    assert (race.kind, race.of, race.on, race.unit) == ("sum", "deal.amount", ("deal.won",), "USD")
    assert race.from_day == date(2026, 3, 1).toordinal() - EPOCH
    assert race.to_day == date(2026, 5, 31).toordinal() - EPOCH
    assert [prize.amount_minor for prize in race.prizes] == [500_000, 250_000, 100_000]


def test_a_budget_covers_what_it_names(whole: RuleSet) -> None:
    (yearly,) = whole.budgets
    assert (yearly.amount, yearly.per, yearly.when_spent) == (Money(25_000_000, "USD"), "year", "hold")
    assert yearly.covers == ("qualified-lead", "commission")


def test_a_budget_without_names_covers_all_of_its_unit() -> None:
    rewards = (
        "rewards: [{id: b, on: deal.won, give: 5 EUR}, {id: p, on: deal.won, give: 5 POINTS}, "
        "{id: a, on: deal.won, give: {percent: 5, of: deal.amount}}]\n"
    )
    budgets = "budgets: [{id: all, amount: 5 USD, per: ever, when_spent: deny}]\n"
    text = HEAD + "units: {POINTS: {}}\n" + rewards + budgets
    assert read_rule_set(text, path="x").budgets[0].covers == ("b", "a")


def test_terms_stand_in_the_order_in_which_they_apply(whole: RuleSet) -> None:
    pilots, acme = whole.terms
    assert (pilots.group, pilots.partner) == ("pilots", None)
    assert pilots.from_day == date(2026, 6, 1).toordinal() - EPOCH
    assert pilots.to_day == date(2026, 8, 31).toordinal() - EPOCH
    assert (acme.partner, acme.group, acme.from_day, acme.to_day) == ("acme-consulting", None, None, None)
    fifteen = Override(rule="commission", part="give", give=PercentOf(150_000, "deal.amount"))
    assert [_without_line(each) for each in pilots.overrides] == [
        fifteen,
        Override(rule="survey-points", part="off"),
    ]


def test_a_negotiated_percentage_is_taken_of_the_reward_s_own_base(whole: RuleSet) -> None:
    acme = whole.terms[1]
    assert [_without_line(each) for each in acme.overrides] == [
        Override(rule="commission", part="give", give=PercentOf(120_000, "deal.amount")),
        Override(rule="commission", part="limit", limits=()),
    ]


def test_every_part_of_a_reward_can_be_negotiated() -> None:
    rewards = "rewards: [{id: a, on: deal.won, give: {percent: 5, of: deal.amount}}]\n"
    changes = (
        "a.give: {percent: 7, of: deal.amount, at_most: 3 USD}, a.at_most: none, a.limit: [1 ever, 5 USD per year], "
        "a.hold: 3 days, a.for: none, a.clawback: 2 years"
    )
    (terms,) = read_rule_set(f"{HEAD}{rewards}terms: [{{partner: acme, set: {{{changes}}}}}]", path="x").terms
    limits = (
        Limit(per="ever", count=1, text="1 ever"),
        Limit(per="year", amount=Money(500, "USD"), text="5 USD per year"),
    )
    seen = [_without_line(each) for each in terms.overrides]
    assert seen[:3] == [
        Override(rule="a", part="give", give=PercentOf(70_000, "deal.amount")),
        Override(rule="a", part="at_most", at_most=Money(300, "USD")),
        Override(rule="a", part="at_most", at_most=None),
    ]
    assert [(each.per, each.count, each.amount) for each in seen[3].limits] == [
        (each.per, each.count, each.amount) for each in limits
    ]
    assert seen[4:] == [
        Override(rule="a", part="hold", duration=Duration(days=3)),
        Override(rule="a", part="for", duration=None),
        Override(rule="a", part="clawback", duration=Duration(months=24)),
    ]


def test_tiers_are_reached_by_metrics_by_hand_or_by_choice(whole: RuleSet) -> None:
    tiers = {tier.id: tier for tier in whole.tiers}
    assert [tiers[id].by for id in ("bronze", "gold", "plus", "friend")] == ["when", "when", "choice", "hand"]
    assert tiers["plus"].price == TierPrice(Money(50_000, "USD"), "year")
    assert (tiers["friend"].when, tiers["friend"].price) == (None, None)


def test_reviews_and_locks(whole: RuleSet) -> None:
    assert (whole.tier_review, whole.lock_terms) == ("yearly", "lead")
    plain = read_rule_set(HEAD + "tier_review: never\n", path="x")
    assert (plain.tier_review, plain.lock_terms) == ("never", None)


def test_a_test_can_expect_what_has_no_amount() -> None:
    text = (
        "metrics: {wins: {count: deal.won}}\ntiers: [{id: bronze}, {id: gold, when: wins >= 1}]\n"
        "tests:\n  - {name: a, events: [{type: deal.won}], expect: [tier: gold, qualified.lead: granted]}\n"
    )
    (test,) = read_rule_set(HEAD + text, path="x").tests
    assert test.expect == (("tier", "gold"), ("qualified.lead", "granted"))


def _without_line(override: Override) -> Override:
    return Override(
        rule=override.rule,
        part=override.part,
        give=override.give,
        at_most=override.at_most,
        limits=override.limits,
        duration=override.duration,
    )
