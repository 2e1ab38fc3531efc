"""Lots: the oldest is spent first, what is left of it at its date goes back, once, and its owner was told before."""

from __future__ import annotations

from typing import Any

from contracts.decisions import Decision
from runtime.database import Database
from tests.integration.rewards.test_budgets import notices
from tests.integration.rewards.test_holds import DAY_MS, clockwork, facts
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

AVAILABLE = ("partner:ann:available", "POINTS")


def lot(number: int, points: int, *, days: int, **fields: Any) -> Decision:
    """Points that expire so many days from now."""
    expires_at_ms = POSTED_AT_MS + days * DAY_MS
    return decided(number, amount_minor=points, unit="POINTS", expires_at_ms=expires_at_ms, **fields)


def spent(number: int, points: int) -> Decision:
    """Something that takes points without saying from which lot."""
    return decided(number, amount_minor=-points, unit="POINTS", restates="r-1")


async def at(database: Database, day: int) -> None:
    await clockwork(database, SetClock(POSTED_AT_MS + day * DAY_MS)).tick()


async def test_the_oldest_is_spent_first_and_the_rest_expires_once(database: Database, ledger_url: str) -> None:
    lots = [lot(1, 100, days=365), lot(2, 50, days=400), lot(3, 7, days=365)]
    await deliver(database, *lots, spent(4, 30))
    await at(database, 364)
    assert found_balances(ledger_url)[AVAILABLE] == 127
    for _ in range(2):
        await at(database, 365)
        await deliver(database, *lots)
        assert found_balances(ledger_url)[AVAILABLE] == 50
    assert sorted(fact.amount_minor for fact in await facts(database) if fact.stage == "expired") == [7, 70]
    await deliver(database, spent(5, 20))
    await at(database, 400)
    assert found_balances(ledger_url)[AVAILABLE] == 0
    await assert_sound(database)


async def test_what_is_spent_to_the_last_point_expires_silently(database: Database, ledger_url: str) -> None:
    await deliver(database, lot(1, 100, days=10), spent(2, 130))
    await at(database, 11)
    assert found_balances(ledger_url)[AVAILABLE] == -30
    assert [fact.stage for fact in await facts(database)] == ["adjusted", "granted"]
    assert await database.fetch_all("SELECT sum(lot_minor), sum(expired_minor) FROM rewards.lives") == [(0, 0)]
    await assert_sound(database)


async def test_a_clawback_comes_out_of_its_own_lot_and_takes_nothing_that_has_expired(
    database: Database, ledger_url: str
) -> None:
    old, new = lot(1, 100, days=10), lot(2, 100, days=90)
    await deliver(database, old, new, decided(3, amount_minor=-40, unit="POINTS", takes_back=new.id))
    await at(database, 10)
    assert found_balances(ledger_url)[AVAILABLE] == 60
    await deliver(database, decided(4, amount_minor=-100, unit="POINTS", takes_back=old.id))
    assert found_balances(ledger_url)[AVAILABLE] == 60
    await at(database, 90)
    assert found_balances(ledger_url)[AVAILABLE] == 0
    await assert_sound(database)


async def test_what_is_on_hold_expires_only_after_its_release(database: Database, ledger_url: str) -> None:
    held = lot(1, 100, days=20, available_at_ms=POSTED_AT_MS + 30 * DAY_MS)
    await deliver(database, held)
    await at(database, 25)
    assert found_balances(ledger_url)["partner:ann:pending", "POINTS"] == 100
    await at(database, 30)
    assert found_balances(ledger_url)[AVAILABLE] == 0
    await assert_sound(database)


async def test_an_owner_is_told_once_of_what_goes_soon(database: Database) -> None:
    await deliver(
        database, lot(1, 100, days=60), lot(2, 50, days=80), lot(3, 9, days=200), lot(4, 5, days=61, partner="bob")
    )
    await deliver(database, spent(5, 30))
    for day in (20, 30, 30, 31, 45, 49):
        await at(database, day)
    told = [(n.beneficiary, n.amount_minor, n.expires_at_ms) for n in await notices(database)]
    assert told == [
        ("partner:ann", 120, POSTED_AT_MS + 60 * DAY_MS),
        ("partner:bob", 5, POSTED_AT_MS + 61 * DAY_MS),
    ]
    await at(database, 170)
    assert [(n.notice, n.amount_minor) for n in (await notices(database))[2:]] == [("expiring", 9)]


async def test_imported_history_expires_without_being_announced(database: Database, ledger_url: str) -> None:
    await deliver(database, lot(1, 100, days=-400), lot(2, 50, days=-30))
    await at(database, 0)
    assert found_balances(ledger_url)[AVAILABLE] == 0
    assert await notices(database) == []
    assert [f.news_at_ms for f in await facts(database) if f.stage == "expired"] == [
        POSTED_AT_MS - 400 * DAY_MS,
        POSTED_AT_MS - 30 * DAY_MS,
    ]
    await assert_sound(database)
