"""Tests in rule files can let days close and contests be won."""

from __future__ import annotations

import pytest

from services.rules.language import RuleSetErrors
from services.rules.testing.run import run_tests

RULES = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: America/New_York
metrics: {sales: {sum: deal.amount, on: deal.won}}
rewards: [{id: commission, on: deal.won, give: {percent: 5, of: deal.amount}}]
milestones: [{id: trusted, metric: sales, at: 100 USD, raise: {rule: commission, by: 1}}]
inactivity: [{id: quiet, when: sales missing for 30 days}]
contests: [{id: race, metric: {count: deal.won}, from: 2026-05-01, to: 2026-05-31, prizes: [500 USD]}]
tests:
  - name: this
    events: [EVENTS]
    expect: [EXPECT]
"""
WON = "{type: deal.won, deal.amount: 100 USD}"


def _verdict(events: str, expect: str) -> str:
    (result,) = run_tests(RULES.replace("EVENTS", events).replace("EXPECT", expect), "x.yaml").results
    return result.verdict


@pytest.mark.parametrize(
    ("events", "expect"),
    [
        (f"{WON}, {WON}", "{commission: 5 USD}, {trusted: granted}, {commission: 6 USD}"),
        (f"{WON}, {{type: clock.day_closed, time: 2026-06-19T23:59:59}}", "{commission: 5 USD}, {quiet: granted}"),
        ("{type: contest.closed, contest: race, rank: 1}", "{race: 500 USD}"),
        ("{type: contest.closed, contest: race, rank: 2}", ""),
    ],
)
def test_what_time_brings_can_be_expected(events: str, expect: str) -> None:
    assert _verdict(events, expect) == "pass"


def test_a_silence_is_not_there_a_day_too_early() -> None:
    closed = "{type: clock.day_closed, time: 2026-06-18T23:59:59}"
    assert _verdict(f"{WON}, {closed}", "{commission: 5 USD}, {quiet: granted}") == "fail"


def test_a_contest_that_was_closed_says_which_and_the_rank() -> None:
    assert _verdict("{type: contest.closed, rank: 1}", "{race: 500 USD}") == "error"
    with pytest.raises(RuleSetErrors, match="rank"):
        _verdict("{type: contest.closed, contest: race, rank: 0}", "")
