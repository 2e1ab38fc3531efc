"""What stands on a side of a back-test, what is counted, and how a report is written."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from contracts.decisions import Decision, TraceLine
from contracts.events import Amount, Deal, Event, parse_time_ms
from services.rules.backtest.page import report_as_html
from services.rules.backtest.report import Change, Report, RuleChange, SideTold, TierMove
from services.rules.backtest.sums import plain_reason
from services.rules.backtest.table import report_as_csv
from services.rules.backtest.window import Window
from services.rules.clock.calendar import day_of_date
from tests.support.backtests import backtest, draft
from tests.support.rules import DAY_MS, START_MS, activation, event

RULES = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
rewards:
  - {id: r, on: deal.won, give: 10 USD}
"""
HOSTILE = '<script>alert("x")</script>'


def won(number: int, day: int) -> Event:
    return event(
        "deal.won", f"e{number}", START_MS + day * DAY_MS, deal=Deal(id=f"d{number}", amount=Amount(100, "USD"))
    )


HISTORY = [
    won(0, 0),
    activation(RULES, effective_from_ms=START_MS + 5 * DAY_MS),
    won(1, 3),
    won(2, 6),
    activation(RULES.replace("10 USD", "20 USD"), revision=2, effective_from_ms=START_MS + 10 * DAY_MS),
    won(3, 8),
    won(4, 12),
]
"""Day 0 and 3 before the first revision's time, 6 and 8 under the first, 12 under the second."""


@pytest.mark.parametrize(
    ("side", "after_minor"),
    [
        ({}, 300),
        ({"from_ms": START_MS + 7 * DAY_MS}, 1000 + 200),
        ({"from_ms": START_MS + 7 * DAY_MS, "to_ms": START_MS + 9 * DAY_MS}, 1000 + 100 + 2000),
        ({"is_always": True}, 500),
        ({"is_always": True, "from_ms": START_MS + 2 * DAY_MS}, 400),
        ({"to_ms": START_MS + 7 * DAY_MS}, 100 + 1000 + 2000),
    ],
)
def test_the_draft_stands_in_where_something_was_in_force(side: dict[str, object], after_minor: int) -> None:
    text = RULES.replace("10 USD", "1 USD")
    (total,) = backtest(HISTORY, text, after=draft(text, **side)).totals
    assert (total.before_minor, total.after_minor) == (1000 + 1000 + 2000, after_minor)


BOUNDED = """\
schema: goodword/v1
programme: saas
currency: USD
timezone: UTC
metrics:
  wins: {count: deal.won}
tiers:
  - id: bronze
  - id: gold
    when:
      - wins >= 3
rewards:
  - id: r
    on: deal.won
    give: 10 USD
    limit: 25 USD per month
budgets:
  - {id: yearly, amount: 30 USD, per: year, covers: [r], when_spent: hold}
"""


def test_a_report_tells_limits_budgets_tier_moves_and_denials() -> None:
    history: list[Event] = [activation(BOUNDED), *(won(number, number + 1) for number in range(4))]
    text = BOUNDED.replace("10 USD", "20 USD").replace("wins >= 3", "wins >= 9").replace("30 USD", "20 USD")
    report = backtest(history, text)
    (rule,) = report.rules
    assert (rule.before_minor, rule.after_minor) == (2500, 2500)
    assert (rule.before_granted, rule.after_granted) == (3, 2)
    assert (rule.before_clamped, rule.before_clamped_minor) == (1, 500)
    assert (rule.after_clamped, rule.after_clamped_minor) == (1, 1500)
    assert {(use.amount_minor, use.before_minor, use.after_minor) for use in report.budgets} == {
        (3000, 2500, 0),
        (2000, 0, 2500),
    }
    assert [(move.before, move.after, move.partners) for move in report.moves] == [("gold", "", ["moses"])]
    (denial,) = report.denials
    assert ("limit" in denial.reason, denial.before, denial.after) == (True, 1, 2)
    for shown in (report_as_html(report), report_as_csv(report)):
        assert "yearly" in shown


@pytest.mark.parametrize(
    ("zone", "first", "last", "time", "month"),
    [
        ("UTC", None, None, "2024-02-29T23:59:59.999Z", "2024-02"),
        ("America/New_York", None, None, "2024-03-01T04:59:59Z", "2024-02"),
        ("America/New_York", date(2024, 3, 1), None, "2024-03-01T04:59:59Z", None),
        ("America/New_York", date(2024, 3, 1), date(2024, 3, 1), "2024-03-02T04:59:59Z", "2024-03"),
        ("America/New_York", date(2024, 3, 1), date(2024, 3, 1), "2024-03-02T05:00:00Z", None),
    ],
)
def test_a_window_counts_local_days(zone: str, first: date | None, last: date | None, time: str, month: str) -> None:
    days = (None if day is None else day_of_date(day) for day in (first, last))
    assert Window(zone, *days).month_of(parse_time_ms(time)) == month


@pytest.mark.parametrize(
    ("zone", "day", "starts"),
    [
        ("UTC", date(2024, 2, 29), "2024-02-29T00:00:00Z"),
        ("America/New_York", date(2024, 3, 10), "2024-03-10T05:00:00Z"),
        ("America/New_York", date(2024, 3, 11), "2024-03-11T04:00:00Z"),
        # The clock was set from 0:00 to 1:00: the day has no midnight.
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00Z"),
    ],
)
def test_a_day_starts_at_its_first_instant(zone: str, day: date, starts: str) -> None:
    assert Window(zone, day_of_date(day)).first_ms == parse_time_ms(starts)


@pytest.mark.parametrize(
    ("reason", "trace", "plain"),
    [
        ("deal.amount >= 5 USD", (), "deal.amount >= 5 USD"),
        ("eligible.partner: partner.status == active", (), "eligible.partner: partner.status == active"),
        (
            "attributes.n >= 5: secret, not a number",
            (TraceLine("attributes.n >= 5", "secret, not a number", "unknown"),),
            "attributes.n >= 5",
        ),
        (
            "deal.product == A: deal.product is missing",
            (TraceLine("deal.product == A", "deal.product is missing", "unknown"),),
            "deal.product == A: deal.product is missing",
        ),
    ],
)
def test_reasons_are_counted_without_what_events_carry(reason: str, trace: tuple[TraceLine, ...], plain: str) -> None:
    assert plain_reason(_denied(reason, trace)) == plain


def _denied(reason: str, trace: tuple[TraceLine, ...]) -> Decision:
    return Decision(
        id="",
        granted=False,
        programme="saas",
        revision=1,
        rule="r",
        partner="p",
        beneficiary="partner:p",
        event_type="deal.won",
        event_source="crm",
        event_id="e",
        time_ms=0,
        reason=reason,
        trace=trace,
    )


def hostile_report() -> Report:
    return Report(
        programme="saas",
        currency="USD",
        timezone="UTC",
        before=SideTold(label=HOSTILE),
        after=SideTold(label="draft.yaml"),
        from_day=None,
        to_day=None,
        events=3,
        skipped=0,
        rejected_before=0,
        rejected_after=0,
        units={"USD": 2},
        totals=[Change(name="", unit="USD", before_minor=0, after_minor=-1250, difference_minor=-1250)],
        partners=[
            Change(name=HOSTILE, unit="USD", before_minor=0, after_minor=-1250, difference_minor=-1250),
            Change(name="@sum(A1)", unit="USD", before_minor=1, after_minor=0, difference_minor=-1),
        ],
        rules=[
            RuleChange(
                rule="r", to="partner", unit="USD", before_minor=0, after_minor=0, difference_minor=0, before_granted=0,
                after_granted=0, before_clamped=0, after_clamped=0, before_clamped_minor=0, after_clamped_minor=0,
            )
        ],
        tiers=[],
        months=[],
        moves=[TierMove(before="", after="gold", partners=[HOSTILE])],
        budgets=[],
        denials=[],
    )  # fmt: skip


def test_hostile_names_stay_text_on_the_page() -> None:
    page = report_as_html(hostile_report())
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


def test_a_spreadsheet_takes_no_name_for_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(report_as_csv(hostile_report()))))
    assert [row["name"] for row in rows if row["about"] == "partner"] == [HOSTILE, "'@sum(A1)"]
    assert rows[0] == {
        "about": "total", "name": "", "detail": "", "unit": "USD", "before": "0.00", "after": "-12.50",
        "difference": "-12.50",
    }  # fmt: skip
