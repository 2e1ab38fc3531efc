"""Work that is counted, not timed: a thousand rules cost what could match; ten years cost what the windows hold."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from contracts.events import Amount, Customer, Deal, PartnerProfile, Survey
from services.rules.compile import CompiledRevision, compile_rule_set
from services.rules.evaluate import evaluate
from services.rules.language import read_rule_set
from services.rules.states.state import PartnerState, encode_partner
from tests.support.rules import DAY_MS, START_MS, event

HEAD = "schema: goodword/v1\nprogramme: saas\ncurrency: USD\ntimezone: UTC\n"
STATE_BYTES_MAX = 4_096
BYTES_PER_DAY_MAX = 12
SERIES = 4
"""What services/rules/README.md promises: beside so much, bytes per day with events and number that is summed up.

`YEARS` sums up sales, counts wins, and takes a mean, which is two sums.
"""


def compiled(text: str) -> CompiledRevision:
    return compile_rule_set(read_rule_set(HEAD + text, path="rules.yaml"), revision=1)


def calls_of(revision: CompiledRevision, products: tuple[str, ...]) -> list[int]:
    """How many functions are called for a won deal of each product, once everything is compiled and remembered."""
    counts = []
    for product in products:
        state = PartnerState(programme="saas", partner="p")
        count = 0

        def note(frame: FrameType, kind: str, argument: Any) -> None:
            nonlocal count
            count += kind in ("call", "c_call")

        for number in range(2):
            won = event(
                "deal.won", f"e{number}", START_MS, deal=Deal(id=f"d{number}", product=product, amount=Amount(5, "USD"))
            )
            count = 0
            sys.setprofile(note)
            try:
                evaluate(state, won, revision)
            finally:
                sys.setprofile(None)
        counts.append(count)
    return counts


def many(count: int) -> CompiledRevision:
    rewards = (
        f"  - {{id: r{n}, on: deal.won, when: [deal.product == P{n}, deal.amount >= 1 USD], give: 1 USD}}"
        for n in range(count)
    )
    return compiled("rewards:\n" + "\n".join(rewards))


def test_the_work_of_an_event_grows_with_the_rules_that_could_match_and_not_with_all() -> None:
    products = ("P1", "P19", "none")
    few, all_of_them = calls_of(many(20), products), calls_of(many(1_000), products)
    assert few == all_of_them
    assert all(few)


def test_the_work_grows_with_the_rules_that_do_match() -> None:
    """Else counting would prove nothing."""
    same = [f"  - {{id: r{n}, on: deal.won, when: [deal.product == P], give: {n + 1} USD}}" for n in range(40)]
    (matching,) = calls_of(compiled("rewards:\n" + "\n".join(same)), ("P",))
    (alone,) = calls_of(many(40), ("P1",))
    assert matching > 10 * alone / 2


YEARS = """
metrics:
  sold_12m: {sum: deal.amount, on: deal.won, over: 12 months}
  sold_90d: {sum: deal.amount, on: deal.won, over: 90 days}
  sold_all: {sum: deal.amount, on: deal.won}
  wins_year: {count: deal.won, over: this year}
  score: {mean: survey.score, on: survey.answered, over: 180 days}
tiers:
  - id: bronze
  - id: silver
    when:
      - sold_12m >= 1_000_000 USD
tier_review: yearly
rewards:
  - id: commission
    on: deal.won
    give: {percent: 5, of: deal.amount}
    limit: [20 per month, 5_000 USD per quarter, 40_000 USD per year]
milestones:
  - id: first
    metric: sold_all
    every: 10_000 USD
    give: 1 USD
"""


def size_after(years: int, deals_a_day: int) -> int:
    """Bytes of one partner's own state after so long."""
    revision = compiled(YEARS)
    state = PartnerState(programme="saas", partner="p")
    evaluate(state, event("partner.registered", "j", START_MS, profile=PartnerProfile(status="active")), revision)
    for number in range(years * 365 * deals_a_day):
        at_ms = START_MS + number // deals_a_day * DAY_MS
        deal = Deal(id=f"d{number}", product="P", amount=Amount(10_000, "USD"))
        evaluate(state, event("deal.won", f"e{number}", at_ms, deal=deal, customer=Customer(id="c")), revision)
        survey = Survey(kind="nps", score=8)
        evaluate(state, event("survey.answered", f"s{number}", at_ms + 1, survey=survey), revision)
    return len(encode_partner(state))


def test_the_state_of_a_partner_is_bounded_by_days_and_not_by_events_over_ten_years() -> None:
    """Late events may fall on any day, and read windows that end there: a day with events is kept, as one sum."""
    ten_years, five = size_after(10, 1), size_after(5, 1)
    assert ten_years <= STATE_BYTES_MAX + 3_650 * SERIES * BYTES_PER_DAY_MAX
    assert ten_years - five <= 1_825 * SERIES * BYTES_PER_DAY_MAX
    assert size_after(1, 20) - size_after(1, 1) < STATE_BYTES_MAX
