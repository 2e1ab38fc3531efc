"""Holds: pending until the clock says so, then available, exactly once."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import psycopg
import pytest
from structlog.testing import capture_logs

from contracts.decisions import Decision
from contracts.facts import TransferPosted
from contracts.ids import transfer_id
from runtime.database import Database
from runtime.rounds import Rounds
from services.rewards.clockwork import Clockwork
from services.rewards.facts import unpack_facts
from services.rewards.lives.settling import Settler
from services.rewards.reads import explain
from services.rewards.store import SETUP, Ledger
from tests.support.decisions import decided
from tests.support.ledger import POSTED_AT_MS, SetClock, assert_sound, deliver, found_balances

DAY_MS = 86_400_000
COST, PENDING, AVAILABLE = ("programme:crm-sales:cost", "partner:ann:pending", "partner:ann:available")


def held(number: int, *, days: int = 30, **fields: Any) -> Decision:
    return decided(number, **({"available_at_ms": POSTED_AT_MS + days * DAY_MS} | fields))


def clockwork(database: Database, clock: SetClock, **options: Any) -> Clockwork:
    ledger = Ledger(database)
    return Clockwork(
        database,
        Settler(database, ledger),
        clock=clock,
        **({"batch_max": 7, "expiry_notice_days": 30} | options),
    )


def balances_of(url: str) -> dict[str, int]:
    """In USD; what is empty is left out."""
    return {account: minor for (account, unit), minor in found_balances(url).items() if minor and unit == "USD"}


async def facts(database: Database) -> list[TransferPosted]:
    rows = await database.fetch_all("SELECT facts, posted_ids FROM rewards.outbox ORDER BY block")
    return [fact for blob, ids in rows for fact in unpack_facts(blob, None if ids is None else {str(i) for i in ids})]


async def test_a_hold_is_pending_until_its_end_and_then_available_once(database: Database, ledger_url: str) -> None:
    decisions = [held(number) for number in range(20)]
    await deliver(database, *decisions)
    assert balances_of(ledger_url) == {COST: -200_000, PENDING: 200_000}
    clock = SetClock(POSTED_AT_MS + 30 * DAY_MS - 1)
    work = clockwork(database, clock)
    assert await work.tick() == 0
    clock.at_ms += 1
    assert await work.tick() == 20
    assert await work.tick() == 0
    # Delivered again, before or after: the same answer.
    await deliver(database, *decisions, at_ms=clock.at_ms + DAY_MS)
    assert balances_of(ledger_url) == {COST: -200_000, AVAILABLE: 200_000}
    await assert_sound(database)
    told = await facts(database)
    assert {fact.id for fact in told} == {
        transfer_id(decision.id, stage) for decision in decisions for stage in ("granted", "released")
    }
    assert {(fact.stage, fact.available_at_ms, fact.news_at_ms) for fact in told} == {
        ("granted", clock.at_ms, None),
        ("released", clock.at_ms, clock.at_ms),
    }


async def test_a_hold_that_is_over_when_it_comes_is_two_transfers_of_one_posting(
    database: Database, ledger_url: str
) -> None:
    """As in imported history."""
    past = held(1, days=-400)
    await deliver(database, past)
    assert balances_of(ledger_url) == {COST: -10_000, AVAILABLE: 10_000}
    assert [(fact.stage, fact.debit, fact.credit) for fact in await facts(database)] == [
        ("granted", COST, PENDING),
        ("released", PENDING, AVAILABLE),
    ]
    assert len({fact.group for fact in await facts(database)}) == 1
    assert await clockwork(database, SetClock()).tick() == 0
    found = explain(ledger_url, past.id)
    assert found is not None
    assert [transfer["stage"] for transfer in found["transfers"]] == ["granted", "released"]


async def test_a_grant_whose_hold_was_over_is_answered_the_same_whatever_happened_since(
    database: Database, ledger_url: str
) -> None:
    """Delivered again alone and among new ones, before and after something was taken from it, and with other data."""
    grants = [held(number, days=-400) for number in range(6)]
    await deliver(database, *grants[:4])
    await deliver(database, *grants, at_ms=POSTED_AT_MS + DAY_MS)
    taken = decided(90, amount_minor=-2_500, takes_back=grants[0].id)
    for at_ms in (POSTED_AT_MS + 2 * DAY_MS, POSTED_AT_MS + 3 * DAY_MS):
        await deliver(database, *grants, taken, at_ms=at_ms)
    assert balances_of(ledger_url) == {COST: -57_500, AVAILABLE: 57_500}
    assert await database.fetch_all("SELECT count(*) FROM rewards.conflicts") == [(0,)]
    await deliver(database, msgspec.structs.replace(grants[1], amount_minor=1), grants[2])
    assert balances_of(ledger_url) == {COST: -57_500, AVAILABLE: 57_500}
    assert await database.fetch_all("SELECT DISTINCT fields FROM rewards.conflicts") == [(["amount_minor"],)]
    await assert_sound(database)


async def test_an_id_that_was_posted_without_a_hold_gets_none_later(database: Database, ledger_url: str) -> None:
    await deliver(database, held(1, available_at_ms=None))
    await deliver(database, held(1, days=-400), held(2, days=-400))
    assert balances_of(ledger_url) == {COST: -20_000, AVAILABLE: 20_000}
    ((fields,),) = await database.fetch_all("SELECT fields FROM rewards.conflicts")
    assert "available_at_ms" in fields
    await assert_sound(database)


async def test_two_processes_with_the_same_past_grants_post_them_once(database: Database, ledger_url: str) -> None:
    grants = [held(number, days=-400, partner=f"p{number % 7}") for number in range(200)]
    await asyncio.gather(*(deliver(database, *part) for part in (grants[:150], grants[50:], grants[::-1], grants[::2])))
    assert sum(minor for account, minor in balances_of(ledger_url).items() if account != COST) == 2_000_000
    assert await database.fetch_all("SELECT count(*) FROM rewards.transfers") == [(400,)]
    assert await database.fetch_all("SELECT count(*) FROM rewards.conflicts") == [(0,)]
    await assert_sound(database)


async def test_a_redelivery_around_the_holds_end_releases_once(database: Database, ledger_url: str) -> None:
    end_ms = POSTED_AT_MS + 30 * DAY_MS
    await deliver(database, held(1), at_ms=end_ms - 1)
    await deliver(database, held(1), at_ms=end_ms + 1)
    assert balances_of(ledger_url) == {COST: -10_000, PENDING: 10_000}
    assert await clockwork(database, SetClock(end_ms + 2)).tick() == 1
    with capture_logs() as logged:
        await deliver(database, held(1), at_ms=end_ms + 3)
    # The clock released it in a posting of its own; that is no other data, and alarms nobody.
    assert [one for one in logged if one["log_level"] == "error"] == []
    assert balances_of(ledger_url) == {COST: -10_000, AVAILABLE: 10_000}
    await assert_sound(database)


async def test_several_processes_release_each_hold_once(database: Database, ledger_url: str) -> None:
    await deliver(database, *(held(number, partner=f"p{number % 5}") for number in range(100)))
    others = [Database(ledger_url, application="rewards", connections_max=2, setup=SETUP) for _ in range(3)]
    for other in others:
        await other.start()
    works = [clockwork(other, SetClock(POSTED_AT_MS + 31 * DAY_MS)) for other in others]
    await asyncio.gather(*(work.tick() for work in works for _ in range(2)))
    await works[0].tick()
    for other in others:
        await other.stop()
    assert balances_of(ledger_url) == {COST: -1_000_000} | {f"partner:p{n}:available": 200_000 for n in range(5)}
    await assert_sound(database)


async def test_two_processes_with_the_same_holds_in_opposite_orders_post_each_once(
    database: Database, ledger_url: str
) -> None:
    decisions = [held(number, partner=f"p{number % 5}") for number in range(60)]
    orders = [decisions, decisions[::-1]]
    await asyncio.gather(*(deliver(database, *order[at : at + 15]) for order in orders for at in range(0, 60, 15)))
    assert balances_of(ledger_url) == {COST: -600_000} | {f"partner:p{n}:pending": 120_000 for n in range(5)}
    await assert_sound(database)


@pytest.mark.parametrize("fields", [{"amount_minor": 1}, {"available_at_ms": None}, {"unit": "EUR"}])
@pytest.mark.parametrize("is_first_held", [True, False])
async def test_a_hold_that_comes_again_otherwise_moves_nothing_and_is_kept_as_a_conflict(
    database: Database, ledger_url: str, fields: dict[str, Any], is_first_held: bool
) -> None:
    first, second = held(1), held(1, **fields)
    if not is_first_held:
        first, second = second, first
    await deliver(database, first)
    before = balances_of(ledger_url).get(PENDING, 0)
    for _ in range(2):
        await deliver(database, held(2), second, held(3))
    after = balances_of(ledger_url)
    assert after[PENDING] == before + 20_000
    assert (await database.fetch_all("SELECT count(*) FROM rewards.conflicts")) == [(1,)]
    found = explain(ledger_url, transfer_id(first.id, "granted"))
    assert found is not None
    assert set(fields) & set(found["conflicts"][0]["fields"]) or "credit_id" in found["conflicts"][0]["fields"]
    await assert_sound(database)


async def test_an_absurd_hold_is_refused_for_good_and_stops_nobody(database: Database, ledger_url: str) -> None:
    most = 2**63 - 1
    await deliver(database, held(0, partner="rich", amount_minor=most))
    absurd = held(9, partner="rich", amount_minor=most)
    for _ in range(2):
        await deliver(database, held(1, unit="EUR"), absurd, held(2, unit="EUR"))
    found = found_balances(ledger_url)
    assert (found["partner:rich:pending", "USD"], found[PENDING, "EUR"]) == (most, 20_000)
    rows = await database.fetch_all("SELECT decision_id::text FROM rewards.lives WHERE state = 'refused'")
    assert rows == [(absurd.id,)]
    await assert_sound(database)


async def test_nobody_changes_a_hold(database: Database) -> None:
    await deliver(database, held(1))
    for statement in (
        "UPDATE rewards.lives SET available_at_ms = 0",
        "UPDATE rewards.lives SET head = '{}'",
        "DELETE FROM rewards.lives",
        "TRUNCATE rewards.lives",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await database.fetch_all(statement)


async def test_the_running_clockwork_releases_by_itself(database: Database, ledger_url: str) -> None:
    await deliver(database, held(1))
    clock = SetClock()
    released = asyncio.Event()
    work = clockwork(database, clock, on_posted=lambda posted: released.set() if posted.count else None)
    rounds = Rounds("clockwork", work.tick, every_s=0.05)
    await rounds.start()
    clock.at_ms += 31 * DAY_MS
    await asyncio.wait_for(released.wait(), 20)
    await rounds.stop()
    assert balances_of(ledger_url) == {COST: -10_000, AVAILABLE: 10_000}
