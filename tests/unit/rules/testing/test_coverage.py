"""What no test reached is named, and what was only assumed does not count as reached."""

from __future__ import annotations

from services.rules.language import read_rule_set
from services.rules.testing import run_tests, unreached

TEXT = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
eligible:
  partner:
    - partner.status == active
metrics:
  wins: {count: deal.won}
tiers:
  - id: bronze
  - id: silver
    when:
      - wins >= 2
  - id: gold
    when:
      - wins >= 5
rewards:
  - id: commission
    on: deal.won
    when:
      - deal.product != Toy
    give: {percent: {by: deal.product, values: {Pro: 8, Basic: 6}, otherwise: 5}, of: deal.amount}
  - id: survey
    on: survey.answered
    give: 5 USD
tests:
"""


def named(tests: str) -> set[tuple[str, str, str, str]]:
    tested = run_tests(TEXT + tests, "saas.yaml")
    assert tested.is_good, tested.results
    decisions = [decision for result in tested.results for decision in result.decisions]
    return {(each.kind, each.rule, each.what, each.why) for each in unreached(tested.rules, decisions)}


def test_without_tests_nothing_is_reached() -> None:
    assert named("  []\n") == {
        ("rule", "commission", "", "never granted"),
        ("rule", "survey", "", "never granted"),
        ("tier", "bronze", "", "nobody was in it"),
        ("tier", "silver", "", "nobody was in it"),
        ("tier", "gold", "", "nobody was in it"),
        ("condition", "eligible.partner", "partner.status == active", "never judged"),
        ("condition", "commission", "deal.product != Toy", "never judged"),
        ("lookup", "commission", "Pro", "never looked up"),
        ("lookup", "commission", "Basic", "never looked up"),
        ("lookup", "commission", "otherwise", "never looked up"),
    }


def test_what_tests_reach_is_not_named() -> None:
    tests = """\
  - name: a Pro deal of a silver partner
    given: {tier: silver}
    events:
      - {type: deal.won, deal.amount: 100 USD, deal.product: Pro}
      - {type: deal.won, deal.amount: 100 USD, deal.product: Other}
    expect:
      - commission: 8 USD
      - commission: 5 USD
"""
    assert named(tests) == {
        ("rule", "survey", "", "never granted"),
        ("tier", "bronze", "", "nobody was in it"),
        ("tier", "silver", "when", "nobody rose to it, it was only given"),
        ("tier", "gold", "", "nobody was in it"),
        # It was assumed, which tries nothing.
        ("condition", "eligible.partner", "partner.status == active", "never judged"),
        ("condition", "commission", "deal.product != Toy", "always met"),
        ("lookup", "commission", "Basic", "never looked up"),
    }


def test_a_file_whose_tests_reach_everything_has_nothing_named() -> None:
    tests = """\
  - name: everything that is sold
    given: {partner.status: active}
    events:
      - {type: deal.won, deal.amount: 100 USD, deal.product: Pro}
      - {type: deal.won, deal.amount: 100 USD, deal.product: Basic}
      - {type: deal.won, deal.amount: 100 USD, deal.product: Other}
      - {type: deal.won, deal.amount: 100 USD, deal.product: Toy}
      - {type: deal.won, deal.amount: 100 USD, deal.product: Pro}
      - {type: deal.won, deal.amount: 100 USD, deal.product: Pro}
      - {type: survey.answered}
    expect:
      - commission: 8 USD
      - commission: 6 USD
      - commission: 5 USD
      - commission: 8 USD
      - commission: 8 USD
      - survey: 5 USD
      - tier: silver
      - tier: gold
    because: deal.product != Toy
  - name: a suspended partner
    given: {partner.status: suspended}
    events:
      - {type: survey.answered}
    expect: []
    because: partner.status == active
"""
    assert named(tests) == set()


LOOKUPS = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
tiers:
  - id: bronze
  - {id: gold, by: hand}
rewards:
  - id: by-product
    on: deal.won
    give: {percent: {by: [tier, deal.product], rows: [[gold, Pro, 9], [gold, any, 9]], otherwise: 9}, of: deal.amount}
  - id: slices
    on: deal.won
    give: {percent: {by: deal.amount, from: {0 USD: 1, 100 USD: 2, 500 USD: 3}, marginal: true}, of: deal.amount}
  - id: steps
    on: deal.won
    give: {by: deal.amount, from: {0 USD: 1 USD, 100 USD: 2 USD, 500 USD: 2 USD}}
tests:
  - name: a deal of a gold partner
    given: {tier: gold}
    events:
      - {type: deal.won, deal.amount: 100.01 USD}
    expect:
      - by-product: 9 USD
      - slices: 1 USD
      - steps: 2 USD
"""


def test_rows_and_brackets_are_told_apart_also_where_they_give_the_same() -> None:
    rules = read_rule_set(LOOKUPS, path="saas.yaml")
    decisions = [decision for each in run_tests(LOOKUPS, "saas.yaml").results for decision in each.decisions]
    missed = {(each.rule, each.what) for each in unreached(rules, decisions) if each.kind == "lookup"}
    assert missed == {
        ("by-product", "[gold, Pro]"),
        ("by-product", "otherwise"),
        ("slices", "500.00 USD: 3"),
        ("steps", "0.00 USD: 1.00 USD"),
        ("steps", "500.00 USD: 2.00 USD"),
    }


BOUNDED = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
rewards:
  - {id: a, on: deal.won, give: {percent: 10, of: deal.amount}, limit: [2 per month, 50 USD ever], for: 1 days}
  - {id: b, on: deal.won, give: 5 USD}
groups: {best: {rewards: [a, b], pick: highest}}
terms:
  - {partner: acme, set: {b.give: 6 USD}}
  - {group: pilots, from: 2026-05-01, set: {b: off}}
tests:
"""


def test_limits_groups_and_terms_that_no_test_reached_are_named() -> None:
    assert _named_of_bounds("  []\n") >= {
        ("limit", "a", "2 per month", "never took anything off"),
        ("limit", "a", "50 USD ever", "never took anything off"),
        ("condition", "a", "for 1 day", "never judged"),
        ("group", "best", "", "never had to choose"),
        ("terms", "partner acme", "", "never applied"),
        ("terms", "group pilots from 2026-05-01", "", "never applied"),
    }


def test_limits_groups_and_terms_that_tests_reach_are_not_named() -> None:
    tests = """\
  - name: bounds
    given: {partner.id: acme}
    events:
      - {type: deal.won, deal.amount: 600 USD}
      - {type: deal.won, deal.amount: 600 USD, time: 2026-05-22T12:00:00}
    expect:
      - a: 50 USD
      - b: 6 USD
"""
    assert _named_of_bounds(tests) == {
        ("limit", "a", "2 per month", "never took anything off"),
        ("terms", "group pilots from 2026-05-01", "", "never applied"),
    }


def _named_of_bounds(tests: str) -> set[tuple[str, str, str, str]]:
    tested = run_tests(BOUNDED + tests, "saas.yaml")
    assert tested.is_good, tested.results
    decisions = [decision for result in tested.results for decision in result.decisions]
    return {(each.kind, each.rule, each.what, each.why) for each in unreached(tested.rules, decisions)}
