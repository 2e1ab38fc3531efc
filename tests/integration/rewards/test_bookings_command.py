"""`goodword ledger` books by hand and shows what is on hold, what waits and what budgets have left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from goodword.cli import app
from runtime.database import Database
from tests.integration.rewards.test_budgets import claiming
from tests.integration.rewards.test_holds import held
from tests.support.decisions import decided
from tests.support.ledger import deliver


@pytest.fixture
def run(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    def run(*words: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["ledger", *words])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    return run


# Commands run an event loop of their own.
def test_holds_are_shown_voided_and_released(ledger_url: str, run: Any) -> None:
    decision = held(1)
    _deliver(ledger_url, decision)
    (row,) = run("holds", "--json")
    assert (row["decision"], row["minor"]) == (decision.id, 10_000)
    assert "100.00 USD" in run("holds", "--of", "partner:ann")
    made = run("void", decision.id, "--amount", "25.00 USD", "--reason", "cancelled", "--as", "ann", "--json")
    assert [(t["stage"], t["amount_minor"], t["reason"], t["booked_by"]) for t in made] == [
        ("voided", 2_500, "cancelled", "ann")
    ]
    assert "released: 75.00 USD" in run("release", decision.id, "--reason", "agreed")
    assert "nothing-held" in run("release", decision.id, "--reason", "again", exit_code=1)
    assert "amount-malformed" in run("void", decision.id, "--amount", "1.234 USD", "--reason", "x", exit_code=1)
    assert "cancelled" in run("explain", decision.id)


def test_budgets_are_shown_topped_up_and_passed_by(ledger_url: str, run: Any) -> None:
    waits = claiming(2, 40_000)
    _deliver(ledger_url, claiming(1, 10_000), waits)
    (line,) = run("budgets", "--json")
    assert (line["left_minor"], line["waiting"]) == (20_000, 1)
    (row,) = run("waiting", "--json")
    assert (row["decision"], row["reason"]) == (waits.id, "budget yearly of 2026 is spent")
    words = ("--period", "2026", "--amount", "1,000 USD", "--reason", "more")
    assert "allotted: 1,000.00 USD" in run("top-up", "crm-sales", "yearly", *words)
    assert "granted: 400.00 USD" in run("admit", waits.id, "--reason", "promised")
    assert "1,200.00 USD" in run("budgets")


def test_a_debt_is_written_off(ledger_url: str, run: Any) -> None:
    _deliver(ledger_url, decided(1, amount_minor=-500, restates="r-1"))
    words = ("partner:ann:available", "--programme", "crm-sales", "--reason", "gone")
    assert "written_off: 5.00 USD" in run("write-off", *words)
    assert "not-owed" in run("write-off", *words, exit_code=1)


def _deliver(url: str, *decisions: Any) -> None:
    import asyncio

    from services.rewards.store import SETUP

    async def work() -> None:
        database = Database(url, application="rewards", setup=SETUP)
        await database.start()
        await deliver(database, *decisions)
        await database.stop()

    asyncio.run(work())
