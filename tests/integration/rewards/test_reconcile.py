"""Decisions of the log against the ledger: a sound one is explained whole, and one planted fault of each kind is named.

The service itself reads the log; faults are planted by the owner of the database, with its triggers off.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from contracts.decisions import BudgetClaim, Decision
from contracts.ids import transfer_id
from contracts.topics import DECISIONS
from goodword.cli import app
from runtime.bus.open import open_bus
from runtime.bus.postgres import PostgresBus
from services.rewards.reconciling.log_side import Span
from services.rewards.reconciling.run import Reconciliation, holds, reconcile
from services.rewards.settings import GROUP, GROUP_ARCHIVE
from tests.integration.rewards.test_rewards_service import YEAR_3000_MS, handled, record, running, until
from tests.support.decisions import TIME_MS, decided, denied

pytestmark = pytest.mark.timeout(120)
PAST_MS = TIME_MS + 86_400_000
SPENT = (BudgetClaim("yearly", "2026", 10_000, "USD", "hold"),)
NONE_LEFT = (BudgetClaim("small", "2026", 1, "USD", "deny"),)

PLAIN = [decided(n, partner=f"p{n % 5}") for n in range(20)]
HELD, RELEASED = decided(30, available_at_ms=YEAR_3000_MS), decided(31, available_at_ms=PAST_MS)
CLAIMED, WAITING = decided(40, budgets=SPENT), decided(41, budgets=SPENT)
DENIED = decided(42, budgets=NONE_LEFT)
TAKEN = decided(50)
TAKES = decided(51, amount_minor=-4_000, takes_back=TAKEN.id)
TAKES_TOO_MUCH = decided(52, amount_minor=-9_000, takes_back=TAKEN.id)
TAKES_HELD = decided(53, amount_minor=-1_000, takes_back=HELD.id)
RESTATED = decided(60, amount_minor=-500, restates="r-1")
POINTS = decided(61, unit="POINTS", amount_minor=70, expires_at_ms=PAST_MS)
UNPAYABLE = decided(62, takes_back="no id")
LEAD = decided(63, amount_minor=None, unit=None, rule="qualified.lead")
DECISIONS_OF_ALL_KINDS = [
    *PLAIN,
    *(HELD, RELEASED, CLAIMED, WAITING, DENIED, TAKEN, TAKES, TAKES_TOO_MUCH, TAKES_HELD, RESTATED, POINTS, UNPAYABLE),
    *(LEAD, denied(64)),
]


async def read_in(url: str, *decisions: Decision) -> None:
    """The service reads them, and its clock has done what is due."""
    async with running(url) as (_, bus):
        await bus.publish(DECISIONS.name, [record(decision) for decision in decisions])
        await until(handled(bus, GROUP))
        await until(handled(bus, GROUP_ARCHIVE))

        async def points_are_expired() -> bool:
            return bool(one(url, "SELECT count(*) FROM rewards.transfers WHERE stage = 'expired'"))

        await until(points_are_expired)


def one(url: str, question: Any) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return int(row[0])


async def reconciled(url: str, span: Span | None = None) -> Reconciliation:
    bus = open_bus(kafka=None, postgres=url, client="reconcile")
    await bus.start()
    try:
        return await reconcile(bus, url, span or Span(), at_ms=PAST_MS + 1)
    finally:
        await bus.close()


def plant(url: str, *statements: Any) -> None:
    """As somebody with full rights would."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE rewards.transfers DISABLE TRIGGER USER")
        for statement in statements:
            assert connection.execute(statement).rowcount == 1, statement


def granted(decision: Decision) -> str:
    return transfer_id(decision.id, "granted")


async def test_what_is_held_waits_is_denied_or_refused_is_explained_and_nothing_is_found(postgres_url: str) -> None:
    await read_in(postgres_url, *DECISIONS_OF_ALL_KINDS, *PLAIN[:3])
    found = await reconciled(postgres_url)
    assert (found["findings"], holds(found), found["source"]) == ([], True, "log")
    assert (found["decisions"], found["repeats"]) == (len(DECISIONS_OF_ALL_KINDS), 3)
    assert found["by_bucket"] == {
        "posted": 28,
        "waiting": 1,
        "denied": 1,
        "refused": 1,
        "unread": 0,
        "not_taken": 1,
        "unexplained": 0,
    }
    points, usd = found["lines"]
    assert (points["unit"], points["decided_minor"], points["posted_minor"]) == ("POINTS", 70, 70)
    assert usd["decided_minor"] == sum(d.amount_minor or 0 for d in DECISIONS_OF_ALL_KINDS if d.unit == "USD")
    parts = ("posted", "waiting", "denied", "refused", "unread", "not_taken", "unexplained")
    assert usd["decided_minor"] == sum(usd[f"{part}_minor"] for part in parts)  # type: ignore[literal-required] # names put together
    assert (usd["waiting_minor"], usd["not_taken_minor"], usd["on_hold_minor"]) == (10_000, -3_000, 9_000)
    assert {(line["rule"], line["stage"]) for line in found["own"]} == {("budget", "allotted")}
    of_first_ten = await reconciled(postgres_url, Span(TIME_MS, TIME_MS + 10_000))
    assert (of_first_ten["decisions"], of_first_ten["transfers"], holds(of_first_ten)) == (10, 10, True)


async def test_one_planted_fault_of_each_kind_is_named_and_nothing_else(postgres_url: str) -> None:
    await read_in(postgres_url, *DECISIONS_OF_ALL_KINDS)
    other = transfer_id(TAKEN.id, "granted", 7)
    update = "UPDATE rewards.transfers SET {} WHERE id = '{}'"
    plant(
        postgres_url,
        f"DELETE FROM rewards.transfers WHERE id = '{granted(PLAIN[0])}'",
        update.format("amount_minor = amount_minor + 1", granted(PLAIN[1])),
        update.format("unit = 'EUR'", granted(PLAIN[2])),
        update.format(
            "credit_id = (SELECT id FROM rewards.accounts WHERE address = 'partner:p0:available')", granted(PLAIN[3])
        ),
        update.format("stage = 'adjusted'", granted(PLAIN[4])),
        f"DELETE FROM rewards.transfers WHERE id = '{transfer_id(RELEASED.id, 'released')}'",
        f"DELETE FROM rewards.transfers WHERE id = '{transfer_id(CLAIMED.id, 'claimed')}'",
        f"DELETE FROM rewards.transfers WHERE id = '{transfer_id(TAKES.id, 'clawed_back')}'",
        "CREATE TEMP TABLE copied AS SELECT * FROM rewards.transfers"
        f" WHERE id IN ('{granted(PLAIN[5])}') UNION ALL SELECT * FROM rewards.transfers WHERE false",
        f"UPDATE copied SET id = '{other}', group_id = '{other}', decision_id = '{other}'",
        "INSERT INTO rewards.transfers SELECT * FROM copied",
        f"UPDATE rewards.lives SET available_at_ms = available_at_ms - 1 WHERE decision_id = '{HELD.id}'",
    )
    found = await reconciled(postgres_url)
    assert not holds(found)
    named = {(each.kind, each.stage, each.transfer or each.decision) for each in found["findings"]}
    assert named == {
        ("missing", "granted", PLAIN[0].id),
        ("different", "granted", granted(PLAIN[1])),
        ("different", "granted", granted(PLAIN[2])),
        ("different", "granted", granted(PLAIN[3])),
        ("different", "adjusted", granted(PLAIN[4])),
        ("missing", "released", RELEASED.id),
        ("missing", "claimed", CLAIMED.id),
        ("missing", "clawed_back", TAKES.id),
        ("extra", "granted", other),
        ("different", "granted", HELD.id),
    }
    fields = {each.transfer: [d.field for d in each.differences] for each in found["findings"] if each.transfer}
    assert fields[granted(PLAIN[1])] == ["amount_minor"]
    assert fields[granted(PLAIN[2])] == ["unit"]
    assert fields[granted(PLAIN[3])] == ["credit"]
    assert fields[granted(PLAIN[4])] == ["stage"]
    assert (found["missing"], found["extra"], found["different"]) == (4, 1, 5)


async def test_the_archive_stands_for_a_log_whose_beginning_is_gone(postgres_url: str) -> None:
    await read_in(postgres_url, *DECISIONS_OF_ALL_KINDS)
    bus = PostgresBus(postgres_url, client="trim")
    await bus.start()
    assert await bus.trim(DECISIONS.name, bytes_max=1) > 0
    await bus.close()
    found = await reconciled(postgres_url)
    assert (found["source"], found["findings"], holds(found)) == ("archive and log", [], True)
    # The archive keeps nothing that it cannot read.
    assert found["decisions"] >= len(DECISIONS_OF_ALL_KINDS) - 1


async def test_what_the_ledger_has_not_read_yet_is_not_missing(postgres_url: str) -> None:
    await read_in(postgres_url, POINTS)
    bus = open_bus(kafka=None, postgres=postgres_url, client="late")
    await bus.start()
    await bus.publish(DECISIONS.name, [record(PLAIN[0])])
    await bus.close()
    found = await reconciled(postgres_url)
    assert (holds(found), found["by_bucket"]["unread"], found["lines"][1]["unread_minor"]) == (True, 1, 10_000)


@pytest.fixture
def stack(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    import asyncio

    asyncio.run(read_in(postgres_url, PLAIN[0], PLAIN[1], POINTS))
    monkeypatch.setenv("GOODWORD_POSTGRES", postgres_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    return postgres_url


# The command runs an event loop of its own.
def test_the_command_says_so_and_exits_with_one_when_something_differs(stack: str) -> None:
    told = CliRunner().invoke(app, ["ledger", "reconcile"])
    assert (told.exit_code, "every decision is in the ledger as it was decided" in told.output) == (0, True), (
        told.output
    )
    plant(stack, f"DELETE FROM rewards.transfers WHERE id = '{granted(PLAIN[0])}'")
    told = CliRunner().invoke(app, ["ledger", "reconcile"])
    assert (told.exit_code, f"decision {PLAIN[0].id}" in told.output) == (1, True), told.output
    told = CliRunner().invoke(app, ["ledger", "reconcile", "--from", "2026-01-01", "--to", "2026-01-02", "--json"])
    answer = json.loads(told.stdout)
    assert (told.exit_code, answer["missing"], answer["findings"][0]["decision"]) == (1, 1, PLAIN[0].id)
    told = CliRunner().invoke(app, ["ledger", "reconcile", "--to", "2025-12-31", "--json"])
    assert (told.exit_code, json.loads(told.stdout)["decisions"]) == (0, 0)
