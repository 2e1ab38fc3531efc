"""`goodword ledger balances|trial-balance|statement` say what was as of any instant, to people and to programs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from goodword.cli import app
from goodword.csv_lines import csv_line
from runtime.database import Database
from services.rewards.store import SETUP
from tests.integration.rewards.test_holds import DAY_MS, held
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import deliver

COST, ANN = "programme:crm-sales:cost", "partner:ann:available"


@pytest.fixture
def run(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Events of three days of January, booked in February: a grant, a clawback, and a hold over in between."""
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    async def post() -> None:
        database = Database(ledger_url, application="rewards", setup=SETUP)
        await database.start()
        first = decided(1, event_id="=1+1")
        taken = decided(2, time_ms=TIME_MS + 2 * DAY_MS, amount_minor=-2_500, takes_back=first.id, event_id="refund")
        await deliver(database, first, held(3, days=1), taken, at_ms=TIME_MS + 40 * DAY_MS)
        await database.stop()

    def run(*words: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["ledger", *words])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    # Commands run an event loop of their own, so none runs here.
    asyncio.run(post())
    return run


def test_books_are_shown_as_of_an_instant_by_either_time(run: Any) -> None:
    now = run("balances", "--json")
    assert {row["account"]: row["minor"] for row in now} == {COST: -17_500, ANN: 17_500, "partner:ann:pending": 0}
    for as_of, minors in (
        ("2025-12-31", {}),
        ("2026-01-01", {COST: -20_000, ANN: 10_000, "partner:ann:pending": 10_000}),
        ("2026-01-02", {COST: -20_000, ANN: 20_000}),
        ("2026-01-03", {COST: -17_500, ANN: 17_500}),
    ):
        assert {row["account"]: row["minor"] for row in run("balances", "--as-of", as_of, "--json")} == minors
        assert run("balances", "--as-of", as_of, "--time", "booked", "--json") == []
        lines = run("trial-balance", "--as-of", as_of, "--json")
        assert [(line["minor"], line["debits"]) for line in lines] == ([(0, -minors[COST])] if minors else [])
    booked = run("balances", "--as-of", "2026-02-10", "--time", "booked", "--json")
    assert booked == [row for row in now if row["minor"]]
    assert "200.00 USD" in run("balances", "--as-of", "2026-01-02")
    assert "instant-malformed" in run("balances", "--as-of", "soon", exit_code=1)


def test_balances_go_on_where_they_ended(run: Any) -> None:
    shown = run("balances", "--limit", "2")
    assert "partner:ann:pending" in shown
    assert COST not in shown
    assert COST in run("balances", "--cursor", shown.split("--cursor ")[1].strip())
    assert [row["account"] for row in run("balances", "--account", "programme:", "--json")] == [COST]


def test_a_statement_of_a_period_goes_from_its_opening_to_its_closing(run: Any) -> None:
    period = ("--from", "2026-01-02", "--to", "2026-01-03")
    page = run("statement", ANN, *period, "--json")
    assert (page["opening"], page["closing"], page["balances"]) == ({"USD": 10_000}, {"USD": 17_500}, {"USD": 17_500})
    assert [(p["minor"], p["balance_minor"]) for p in page["postings"]] == [(-2_500, 17_500), (10_000, 20_000)]
    assert page["postings"][1]["transfer"]["effective_at"] == "2026-01-02T20:40:00.000Z"
    shown = run("statement", ANN, *period)
    assert "opening balance 100.00 USD" in shown
    assert "closing balance 175.00 USD" in shown
    assert run("statement", ANN, *period, "--time", "booked", "--json")["postings"] == []


def test_a_statement_as_csv_is_whole_and_runs_nothing(run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(run("statement", ANN, "--csv", "--time", "effective"))))
    assert [(row["line"], row["amount"], row["balance"]) for row in rows] == [
        ("posting", "100.00", "100.00"),
        ("posting", "100.00", "200.00"),
        ("posting", "-25.00", "175.00"),
        ("closing", "", "175.00"),
    ]
    assert rows[0]["event_id"] == "'=1+1"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("@a", "'@a"),
        ("-a", "'-a"),
        ("-1.50", "-1.50"),
        ("\tx", "'\tx"),
        ('a"b', '"a""b"'),
    ],
)
def test_no_cell_is_a_formula(cell: str, shown: str) -> None:
    assert csv_line((cell, None, 1)) == f"{shown},,1"
