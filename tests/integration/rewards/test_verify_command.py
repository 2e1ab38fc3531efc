"""`goodword ledger verify` says whether the ledger is as it was sealed, and `conflicts` what it would not take."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from goodword.cli import app
from runtime.database import Database
from services.rewards.store import SETUP, Ledger
from tests.support.decisions import decided
from tests.support.ledger import transfers


@pytest.fixture
def run(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two postings of two transfers."""
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    def run(*words: str, exit_code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["ledger", *words])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if "--json" in words else result.output

    post(ledger_url, (1, 2), (3, 4))
    return run


def post(url: str, *batches: tuple[int, ...], **fields: Any) -> None:
    async def all_of_them() -> None:
        database = Database(url, application="rewards", setup=SETUP)
        await database.start()
        for batch in batches:
            await Ledger(database).post(transfers(*(decided(number, **fields) for number in batch)))
        await database.stop()

    asyncio.run(all_of_them())


def tamper(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("ALTER TABLE rewards.transfers_2026_01 DISABLE TRIGGER ALL")
        owner.execute(psycopg.sql.SQL(statement))


def test_a_whole_ledger_is_said_to_be_whole(run: Any) -> None:
    answer = run("verify", "--json")
    assert answer | {"last_hash": ""} == {
        "holds": True, "first_block": 1, "last_block": 2, "last_hash": "", "blocks": 2, "transfers": 4,
        "findings_count": 0, "findings": [], "signed_block": None, "signed_by": None, "is_key_known": False,
        "published": None,
    }  # fmt: skip
    assert "4 transfers in blocks 1 to 2" in run("verify")
    assert run("verify", "--from-block", "2", "--json")["transfers"] == 2


def test_the_first_bad_row_is_named_and_the_exit_code_is_one(run: Any, ledger_url: str) -> None:
    tamper(ledger_url, "UPDATE rewards.transfers_2026_01 SET amount_minor = 1 WHERE event_id = 'opp-3-won'")
    answer = run("verify", "--json", exit_code=1)
    victim = transfers(decided(3))[0].id
    assert (answer["holds"], answer["findings"][0]["kind"]) == (False, "row-altered")
    assert (answer["findings"][0]["block"], answer["findings"][0]["transfer"]) == (2, victim)
    assert {one["kind"] for one in answer["findings"]} == {"row-altered", "balance"}
    assert f"the first: row-altered block 2 transfer {victim}" in run("verify", exit_code=1)
    assert "the chain has no block 3" in run("verify", "--from-block", "3", exit_code=1)


def test_a_balance_that_is_not_the_sum_of_its_rows_is_found(run: Any, ledger_url: str) -> None:
    tamper(ledger_url, "UPDATE rewards.balances SET minor = minor + 1 WHERE minor > 0")
    findings = run("verify", "--json", exit_code=1)["findings"]
    assert [one["kind"] for one in findings] == ["balance", "balance"]
    assert "partner:ann:available USD: it should be 40000, and is 40001" in findings[0]["message"]


def test_conflicts_are_shown_with_the_fields_that_differ(run: Any, ledger_url: str) -> None:
    assert run("conflicts", "--json") == {"conflicts": [], "refusals": []}
    assert "no conflict" in run("conflicts")
    post(ledger_url, (1,), amount_minor=5, deal="other")
    (conflict,) = run("conflicts", "--json")["conflicts"]
    assert conflict["transfer"] == transfers(decided(1))[0].id
    assert (conflict["fields"], conflict["stored"], conflict["received"]) == (
        ["amount_minor", "deal"],
        {"amount_minor": 10_000, "deal": "deal-1"},
        {"amount_minor": 5, "deal": "other"},
    )
    assert "amount_minor" in run("conflicts")
    assert run("verify", "--json")["holds"]


def test_refusals_are_shown_with_their_reason(run: Any, ledger_url: str) -> None:
    post(ledger_url, (5,), (6,), amount_minor=2**62)
    post(ledger_url, (7,), amount_minor=2**62)
    shown = run("conflicts", "--json")["refusals"]
    assert {row["reason"] for row in shown} == {"balance-out-of-range"}
    assert run("verify", "--json")["holds"]
