"""What the tests inside of rule files can say, and that each of pass, fail and error is told apart."""

from __future__ import annotations

import textwrap

import pytest

from services.rules.language import RuleSetErrors
from services.rules.testing import FileResults, Result, failing_tests_problem, run_tests

HEAD = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: America/New_York
units:
  CREDIT: {decimals: 2}
eligible:
  partner:
    - partner.status == active
    - not: partner.country == XX
  customer:
    - customer.country in [US, CA]
qualified:
  lead:
    - customer.employees >= 500
  deal:
    - deal.amount >= 500 USD
metrics:
  sales_12m: {sum: deal.amount, on: deal.won, minus: deal.refunded, over: 12 months}
  sales_total: {sum: deal.amount, on: deal.won, minus: deal.refunded}
  wins_month: {count: deal.won, over: this month}
  wins: {count: deal.won}
  customers: {distinct: customer.id, on: deal.won}
  score: {mean: survey.score, on: survey.answered}
  bought: {count: deal.won, per: customer}
tiers:
  - id: bronze
  - id: silver
    when:
      - sales_12m >= 100_000 USD
rewards:
  - id: qualified-lead
    on: lead.qualified
    give: 50 USD
  - id: commission
    on: deal.won
    give: {percent: {by: tier, values: {bronze: 5, silver: 7.5}}, of: deal.amount}
  - id: welcome
    on: deal.won
    to: customer
    when:
      - bought == 0
      - customer.industry != retail
    give: 100 CREDIT
  - id: long-standing
    on: deal.won
    when:
      - sales_total >= 1_000_000 USD
      - sales_12m < 1_000 USD
    give: 10 USD
  - id: popular
    on: survey.answered
    when:
      - score >= 7.5
      - customers == 3
    give: 1 USD
  - id: busy
    on: deal.won
    when:
      - wins_month == 2
      - wins == 40
    give: 2 USD
"""


def run(tests: str) -> FileResults:
    return run_tests(f"{HEAD}tests:\n{textwrap.indent(textwrap.dedent(tests), '  ')}", "saas.yaml")


def only(tests: str) -> Result:
    (result,) = run(tests).results
    return result


def passes(tests: str) -> None:
    result = only(tests)
    assert (result.verdict, result.error, result.difference) == ("pass", "", result.difference)


def test_a_fact_of_eligible_and_qualified_that_a_test_does_not_mention_counts_as_met_and_is_called_assumed() -> None:
    result = only("""\
        - name: nothing but the amount is said
          given: {tier: silver, bought: 1}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - commission: 75.00 USD
        """)
    assert result.verdict == "pass"
    (commission,) = (each for each in result.decisions if each.rule == "commission")
    saw = {line.condition: (line.saw, line.verdict) for line in commission.trace}
    assert saw["partner.status == active"] == ("assumed", "met")
    assert saw["customer.country in [US, CA]"] == ("assumed", "met")
    # Under a `not` it is the whole condition that counts as met.
    assert saw["partner.country == XX"] == ("assumed", "not met")
    assert saw["deal.amount >= 500 USD"] == ("1000.00 USD", "met")


def test_a_fact_that_a_test_mentions_is_judged() -> None:
    passes("""\
        - name: a suspended partner earns nothing
          given: {partner.status: suspended}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect: []
          because: partner.status == active
        """)
    passes("""\
        - name: a partner can be suspended meanwhile
          given: {partner.status: active, bought: 1}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
            - {type: partner.suspended}
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - commission: 50 USD
          because: "eligible.partner: partner.status == active"
        """)
    passes("""\
        - name: an event of a deal can say it by the way
          given: {partner.status: active, bought: 1}
          events:
            - {type: deal.won, deal.amount: 1_000 USD, partner.status: suspended}
          expect: []
          because: partner.status == active
        """)


def test_outside_of_eligible_and_qualified_nothing_is_assumed() -> None:
    passes("""\
        - name: the industry is not known
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - commission: 50 USD
          because: customer.industry is missing
        """)


def test_metrics_that_are_given_hold_at_the_first_event_and_others_are_those_of_a_new_partner() -> None:
    passes("""\
        - name: a shorter window that is not given is empty, though it counts the same
          given: {sales_total: 1_000_000 USD, bought: 1}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - commission: 50 USD
            - long-standing: 10 USD
        """)
    passes("""\
        - name: two windows over the same deals
          given: {wins_month: 2, wins: 40, bought: 1}
          events:
            - {type: deal.won, deal.amount: 1_000 USD, time: 2025-03-31T09:00:00}
          expect:
            - commission: 50 USD
            - busy: 2 USD
        """)
    passes("""\
        - name: an average and a number of customers
          given: {score: 7.5, customers: 3}
          events:
            - {type: survey.answered, survey.score: 1}
          expect:
            - popular: 1 USD
        """)


def test_a_tier_is_reached_by_the_metrics_given_and_told_where_a_test_asks() -> None:
    passes("""\
        - name: the deal that reaches silver is still paid as bronze
          given: {sales_12m: 99_000 USD, bought: 1}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - tier: silver
            - commission: 50 USD
            - commission: 75 USD
        """)


def test_a_lead_qualifies_by_what_the_test_says_and_only_then_is_it_compared() -> None:
    passes("""\
        - name: a large company qualifies
          events:
            - {type: lead.registered, customer.employees: 500}
          expect:
            - qualified.lead: granted
            - qualified-lead: 50 USD
        """)
    passes("""\
        - name: a small company does not
          events:
            - {type: lead.registered, customer.employees: 499}
          expect: []
          because: customer.employees >= 500
        """)


def test_a_deal_is_the_one_before_until_it_is_won_again() -> None:
    passes("""\
        - name: the same deal twice
          given: {bought: 1}
          events:
            - {type: deal.opened}
            - {type: deal.won, deal.amount: 1_000 USD}
            - {type: deal.won, deal.amount: 1_000 USD, deal.id: deal-1}
          expect:
            - commission: 50 USD
          because: already won
        """)
    passes("""\
        - name: a refund finds its deal, and without one there is none
          given: {bought: 1}
          events:
            - {type: deal.refunded, deal.amount: 100 USD}
            - {type: deal.won, deal.amount: 1_000 USD}
            - {type: deal.refunded, deal.amount: 100 USD}
          expect:
            - commission: 50 USD
          because: no such deal
        """)


def test_expectations_are_exact_and_their_order_means_nothing() -> None:
    passes("""\
        - name: in another order
          given: {customer.industry: software}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - welcome: 100 CREDIT
            - commission: 50 USD
        """)
    result = only("""\
        - name: one is wrong and one forgotten
          given: {customer.industry: software}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect:
            - commission: 49.99 USD
          because: no denial says this
        """)
    assert result.verdict == "fail"
    assert result.difference is not None
    assert result.difference.missing == ("commission: 49.99 USD",)
    assert result.difference.unexpected == ("commission: 50.00 USD", "welcome: 100.00 CREDIT")
    assert result.difference.because == "no denial says this"


def test_a_condition_that_was_met_is_no_reason() -> None:
    result = only("""\
        - name: the amount was large enough
          given: {bought: 1, partner.status: suspended}
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect: []
          because: deal.amount >= 500 USD
        """)
    assert result.verdict == "fail"


@pytest.mark.parametrize(
    ("given", "event", "why"),
    [
        ("{customers: 1.5}", "{type: deal.won}", "whole number"),
        ("{wins: 1, wins_month: 2}", "{type: deal.won}", "cannot be less"),
        ("{wins: -1}", "{type: deal.won}", "cannot be -1"),
        ("{}", "{type: deal.won, survey.score: 3}", "cannot be in deal.won"),
        ("{}", "{type: deal.won, wins: 3}", "write it under given"),
        ("{}", "{type: deal.won, tier: silver}", "write it under given"),
        ("{}", "{type: deal.won, partner.id: somebody}", "about one partner"),
    ],
)
def test_a_test_that_cannot_be_run_is_an_error_and_no_failure(given: str, event: str, why: str) -> None:
    try:
        result = only(f"""\
            - name: odd
              given: {given}
              events:
                - {event}
              expect: []
            """)
    except RuleSetErrors as errors:
        pytest.fail(f"refused by the reader: {errors}")
    assert result.verdict == "error"
    assert why in result.error


def test_a_failing_test_is_refused_at_its_place() -> None:
    text = f"""{HEAD}tests:
  - name: a deal
    events:
      - {{type: deal.won, deal.amount: 1_000 USD}}
    expect: []
"""
    tested = run_tests(text, "saas.yaml")
    problem = failing_tests_problem(tested)
    line = text[: text.index("name: a deal")].count("\n") + 1
    assert problem is not None
    assert (problem.code, problem.where) == ("rule-tests-failed", f"saas.yaml:{line}")
    assert tested.count("fail") == 1


def test_a_file_with_an_error_is_not_run() -> None:
    with pytest.raises(RuleSetErrors):
        run_tests("schema: goodword/v1\n", "saas.yaml")


def test_the_same_file_gives_the_same_results() -> None:
    tests = """\
        - name: a deal
          events:
            - {type: deal.won, deal.amount: 1_000 USD}
          expect: []
        """
    assert run(tests).results == run(tests).results


@pytest.mark.parametrize("count", [200_000, 200_001])
def test_different_values_are_made_up_to_a_limit_for_the_whole_file(count: int) -> None:
    tested = run(f"""\
        - name: many
          given: {{customers: {count - 5}}}
          events: [{{type: survey.answered}}]
          expect: []
        - name: and five more
          given: {{customers: 5}}
          events: [{{type: survey.answered}}]
          expect: []
        """)
    assert [each.verdict for each in tested.results] == ["pass", "pass" if count <= 200_000 else "error"]


def test_rules_are_compiled_for_so_many_sets_of_assumed_facts_and_no_more() -> None:
    keys = [f"attributes.key{number}" for number in range(8)]
    conditions = "".join(f"    - {key} exists\n" for key in keys)
    written = (", ".join(f"{key}: x" for bit, key in enumerate(keys) if number >> bit & 1) for number in range(201))
    text = HEAD.replace("  customer:\n", f"  customer:\n{conditions}") + "tests:\n"
    for number, given in enumerate(written):
        text += f"  - {{name: t{number}, given: {{{given}}}, events: [{{type: survey.answered}}], expect: []}}\n"
    tested = run_tests(text, "saas.yaml")
    assert (tested.count("pass"), tested.count("error")) == (200, 1)
    assert "different sets" in tested.results[-1].error


RATED = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
metrics: {{sold: {{sum: deal.amount, on: deal.won}}}}
rewards:
  - id: paid
    on: deal.won
    when: [deal.amount >= 500 USD]
    give: {{percent: 10, of: deal.amount}}
    clawback: 30 days
tests:
  - name: a deal in euros
    given: {{{given}}}
    events:
      - {{type: deal.won, deal.amount: 400 EUR}}
      - {{type: deal.refunded, deal.amount: 250 USD}}
    expect: {expect}
"""


def test_rates_are_given_and_what_is_taken_back_is_expected_below_zero() -> None:
    rated = RATED.format(given="EUR/USD: 1.25", expect="[paid: 40 EUR, paid: -20 EUR]")
    assert [each.verdict for each in run_tests(rated, "saas.yaml").results] == ["pass"]
    without = RATED.format(given="", expect="[]")
    assert [each.verdict for each in run_tests(without, "saas.yaml").results] == ["pass"]


@pytest.mark.parametrize("given", ["EUR/USD: 0", "EUR/XXX: 1", "EUR/USD: 1e3"])
def test_a_rate_that_is_none_is_an_error_of_the_file(given: str) -> None:
    with pytest.raises(RuleSetErrors, match="unreadable-value"):
        run_tests(RATED.format(given=given, expect="[]"), "saas.yaml")
