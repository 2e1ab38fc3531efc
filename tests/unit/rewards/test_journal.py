"""Lines of the journal, the mapping of accounts, and when a period is closed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import PermanentError
from services.rewards.journal.chart_file import read_chart
from services.rewards.journal.gl_chart import GlAccount, GlChart
from services.rewards.journal.lines import Booked, Line, lines_of
from services.rewards.journal.periods import after, first_of, is_closed, last_closed

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/chart-of-accounts.yaml"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def booked(**fields: Any) -> Booked:
    known: dict[str, Any] = dict.fromkeys(Booked._fields, "x") | {
        "booked_at": NOON,
        "effective_at": NOON,
        "debit": "programme:p:cost",
        "credit": "partner:ann:available",
        "amount_minor": 105_400,
        "unit": "USD",
        "revision": 1,
    }
    return Booked(**(known | fields))


DECIMALS = [("USD", 2, 105_400, "1054.00"), ("JPY", 0, 7, "7"), ("KWD", 3, 1, "0.001"), ("X", 6, 2**63 - 1, None)]


@pytest.mark.parametrize(("unit", "decimals", "minor", "text"), DECIMALS)
def test_a_transfer_has_a_debit_and_a_credit_line_of_the_same_exact_amount(
    unit: str, decimals: int, minor: int, text: str | None
) -> None:
    debit, credit = lines_of(booked(unit=unit, amount_minor=minor), GlChart(), lambda unit: decimals)
    assert (debit.side, debit.line, debit.account) == ("debit", 1, "programme:p:cost")
    assert (credit.side, credit.line, credit.account) == ("credit", 2, "partner:ann:available")
    assert debit.amount == credit.amount == Decimal(text or "9223372036854.775807")
    assert f"{debit.amount:f}" == (text or "9223372036854.775807")
    assert set(Booked._fields) - {"debit", "credit"} <= set(Line._fields)


PATTERNS = [
    ("programme:p:cost", "USD", "6110"),
    ("programme:p:cost", "POINTS", "6120"),
    ("partner:a:available", "USD", "2420"),
    ("partner:a:paid", "USD", "1190"),
    ("programme:p:budget:yearly:2026", "USD", "9000"),
    ("customer:c:available", "EUR", "2440"),
]


@pytest.mark.parametrize(("account", "unit", "gl"), PATTERNS)
def test_the_first_pattern_of_the_example_that_fits_counts(account: str, unit: str, gl: str) -> None:
    chart, _ = read_chart(EXAMPLE)
    found = chart.find(account, unit)
    assert found is not None
    assert found.gl == gl


def test_an_account_without_a_line_is_named() -> None:
    chart = GlChart([GlAccount(account="programme:*:**", gl="1")])
    with pytest.raises(PermanentError, match=r"1 accounts .* partner:ann:available \(USD\)"):
        chart.check([("partner:ann:available", "USD"), ("programme:p:budget:b:2026", "USD")])


BAD = [
    ("accounts: [", "not YAML"),
    ("accounts: []", "accounts is empty"),
    ("accounts: [{account: 'partner:*:wallet', gl: 1}]", "fits no account"),
    ("accounts: [{account: 'partner:*', gl: 1}]", "fits no account"),
    ("accounts: [{account: 'partner:*:paid', gl: ''}]", "gl is empty"),
    ("accounts: [{account: 'partner:*:paid', gl: 1, unit: usd}]", "is no unit"),
    ("accounts: [{account: 'partner:*:paid', gl: 1, colour: red}]", "unknown field"),
    ("nothing: here", "not a mapping of accounts"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_bad_mapping_says_where_and_what(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text(text)
    with pytest.raises(PermanentError, match=message) as raised:
        read_chart(file)
    assert raised.value.problem.where == str(file)


def test_a_period_is_closed_a_little_after_its_end() -> None:
    day, end = date(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC)
    assert after("day", day) == date(2026, 1, 2)
    assert after("month", date(2026, 12, 1)) == date(2027, 1, 1)
    assert first_of("month", date(2026, 2, 28)) == date(2026, 2, 1)
    assert not is_closed(date(2026, 1, 2), end + timedelta(minutes=14))
    assert is_closed(date(2026, 1, 2), end + timedelta(minutes=15))
    assert last_closed("day", end + timedelta(minutes=14)) == date(2026, 1, 1)
    assert last_closed("month", end) == date(2026, 1, 1)
