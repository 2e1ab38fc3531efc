"""What is owed as of any moment comes to what accounts hold, month by month; the command shows it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.decisions import Decision
from goodword.cli import app
from runtime.database import Database
from services.rewards.asof.cuts import By, Cut
from services.rewards.by_hand import Bookings
from services.rewards.legs import ByHand
from services.rewards.liability.read import Liability, liability
from services.rewards.reads import balances
from services.rewards.store import SETUP
from tests.integration.rewards.test_holds import clockwork
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import POSTED_AT_MS, SetClock, deliver
from tests.support.payouts import Office, payee

DAY_MS = 86_400_000
HELD = decided(1, available_at_ms=POSTED_AT_MS + 40 * DAY_MS)
TAKES = decided(2, amount_minor=-2_500, takes_back=HELD.id)
POINTS: dict[str, Any] = {"unit": "POINTS", "amount_minor": 100}
LOTS = [
    decided(10, expires_at_ms=POSTED_AT_MS + 60 * DAY_MS, **POINTS),
    decided(11, expires_at_ms=POSTED_AT_MS + 90 * DAY_MS, **POINTS),
    decided(12, unit="POINTS", amount_minor=-130, restates="r-1"),
    decided(13, unit="POINTS", amount_minor=7),
]
DEBT = decided(20, partner="bob", amount_minor=-300, restates="r-1")
PLAIN = decided(21, partner="cleo", programme="other")
ALL: list[Decision] = [HELD, TAKES, *LOTS, DEBT, PLAIN]


def month_of(programme: str, at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m}"


def told(answer: Liability) -> list[tuple[str, str, str, str, int]]:
    return [(line.programme, line.unit, line.kind, line.month, line.minor) for line in answer["lines"]]


def owed(url: str) -> dict[str, int]:
    """What beneficiaries' accounts hold, but for what was paid."""
    sums: dict[str, int] = {}
    for row in balances(url):
        if not row["account"].startswith("programme:") and not row["account"].endswith(":paid"):
            sums[row["unit"]] = sums.get(row["unit"], 0) + row["minor"]
    return {unit: minor for unit, minor in sums.items() if minor}


async def test_everything_owed_is_in_one_month_and_comes_to_the_balances(database: Database, ledger_url: str) -> None:
    await deliver(database, *ALL)
    answer = liability(ledger_url, month_of, at_ms=POSTED_AT_MS)
    assert told(answer) == [
        # 130 were spent of 100, 100 and 7 without a date: what lots hold goes last, and of them the oldest first.
        ("crm-sales", "POINTS", "expiring", "2026-04", 77),
        ("crm-sales", "USD", "on_hold", "2026-02", 7_500),
        ("crm-sales", "USD", "negative", "", -300),
        ("other", "USD", "available", "", 10_000),
    ]
    assert answer["totals"] == owed(ledger_url) == {"POINTS": 77, "USD": 17_200}
    clock = SetClock(POSTED_AT_MS + 100 * DAY_MS)
    await clockwork(database, clock).tick()
    later = liability(ledger_url, month_of, at_ms=clock.at_ms)
    assert told(later)[0] == ("crm-sales", "USD", "available", "", 7_500)
    assert later["totals"] == owed(ledger_url)
    assert [(each.lots, each.granted_minor, each.expired_minor) for each in later["experience"]] == [
        (1, 100, 0),
        (1, 100, 77),
    ]


async def test_as_of_a_moment_is_what_was_told_then(database: Database, ledger_url: str) -> None:
    await deliver(database, *ALL[:4])
    before = liability(ledger_url, month_of, at_ms=POSTED_AT_MS)
    await deliver(database, *ALL[4:], at_ms=POSTED_AT_MS + DAY_MS)
    await Bookings(database, clock=SetClock(POSTED_AT_MS + 2 * DAY_MS)).release(HELD.id, None, ByHand("agreed", "ann"))
    cut = Cut(By.BOOKED, datetime.fromtimestamp(POSTED_AT_MS / 1_000 + 1, UTC))
    assert told(liability(ledger_url, month_of, at_ms=POSTED_AT_MS, cut=cut)) == told(before)
    now = liability(ledger_url, month_of, at_ms=POSTED_AT_MS + 3 * DAY_MS)
    assert now["totals"] == owed(ledger_url)
    effective = Cut(By.EFFECTIVE, datetime.fromtimestamp(TIME_MS / 1_000 + 2, UTC))
    assert told(liability(ledger_url, month_of, at_ms=TIME_MS + 2_000, cut=effective)) == [
        ("crm-sales", "USD", "on_hold", "2026-02", 10_000)
    ]


async def test_what_is_on_its_way_is_owed_until_it_is_paid(database: Database, ledger_url: str) -> None:
    office = Office(database)
    await office.earn("ann", 10_000)
    await office.know(payee("ann"))
    run = await office.preparer.prepare(office.asked(), who="finance")
    (line,) = liability(ledger_url, month_of, at_ms=office.clock.at_ms)["lines"]
    assert (line.kind, line.minor) == ("in_payout", 10_000)
    await office.desk.approve(run.id, who="other")
    await office.desk.send(run.id, who="other")
    await office.desk.settle_run(run.id, who="other", reference="b-1")
    assert liability(ledger_url, month_of, at_ms=office.clock.at_ms)["lines"] == []


# Commands run an event loop of their own.
def test_the_command_shows_it_as_a_table_as_json_and_as_csv(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        database = Database(ledger_url, application="rewards", setup=SETUP)
        await database.start()
        await deliver(database, *ALL)
        await database.stop()

    asyncio.run(work())
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["ledger", "liability", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "on hold" in run()
    assert "2026-02" in run("--forecast")
    answer = json.loads(run("--forecast", "--as-of", "2025-12-31", "--time", "booked", "--json"))
    assert (answer["totals"], answer["lines"]) == ({}, [])
    answer = json.loads(run("--as-of", "2026-01-01", "--json"))
    assert answer["totals"] == {"POINTS": 77, "USD": 17_200}
    lines = run("--forecast", "--as-of", "2026-01-01", "--csv").splitlines()
    assert lines[0] == "programme,unit,kind,month,amount,amount_minor,expected_expiry_minor"
    assert "crm-sales,USD,on_hold,2026-02,75.00,7500," in lines
    assert "crm-sales,USD,negative,,-3.00,-300," in lines
