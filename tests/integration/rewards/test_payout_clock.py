"""The clock of payouts prepares what is due and nothing else; exchange rates come from their topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.rates import RatePublished, encode_rate
from contracts.topics import RATES, TOPICS
from runtime.bus.consumer import Consumer
from runtime.bus.dead_letters import DeadLetters, DlqLimit
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Record
from runtime.database import Database
from services.rewards.payouts import store
from services.rewards.payouts.directory import set_plan
from services.rewards.payouts.plan import Plan, Terms
from services.rewards.payouts.rates import RatesOwner
from services.rewards.payouts.scheduling import PayoutClock
from tests.support.ledger import SetClock, assert_sound
from tests.support.payouts import Office, payee


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


async def test_what_is_due_is_prepared_once_a_missed_day_is_made_up_for_and_nothing_is_sent(
    database: Database,
) -> None:
    office = Office(database, SetClock(at("2026-03-04T12:00")))
    clock = PayoutClock(database, office.preparer, clock=office.clock)
    await office.know(payee())
    await office.earn("ann", 10_000)
    # Days begin in Auckland, half a day before they do in UTC.
    plan = Plan(
        programme="crm-sales",
        currency="EUR",
        schedule="monthly on 5",
        zone="Pacific/Auckland",
        terms=Terms(minimum_minor=1_000),
        from_day="2026-03-04",
    )
    await set_plan(database, plan, who="finance", clock=office.clock)
    await set_plan(
        database, Plan(programme="other", currency="EUR", from_day="2026-03-04"), who="f", clock=office.clock
    )
    assert await clock.tick() == ["crm-sales/EUR/2026-03-05"]
    assert await clock.tick() == []
    await office.earn("ann", 2_000)
    # Nobody was there on the fifth of April; of May the newest is enough.
    office.clock.at_ms = at("2026-05-20T00:00")
    assert await clock.tick() == ["crm-sales/EUR/2026-05-05"]
    async with database.connection() as connection:
        runs = await store.list_runs(connection)
        found = [(run.period, run.state, run.prepared_by) for run in runs]
        paid = [p.pay_minor for run in runs for p in await store.payouts_of(connection, run.id)]
    assert found == [("2026-05-05", "prepared", "the schedule"), ("2026-03-05", "prepared", "the schedule")]
    assert paid == [2_000, 10_000]
    await assert_sound(database)


@pytest.fixture
async def bus(ledger_url: str) -> AsyncIterator[Bus]:
    made = open_bus(kafka=None, postgres=ledger_url, client="test")
    await made.start()
    await made.ensure_topics(TOPICS, 1)
    yield made
    await made.close()


async def test_the_newest_rate_of_a_day_is_kept_and_what_is_no_rate_is_put_aside(bus: Bus, database: Database) -> None:
    def told(**fields: Any) -> Record:
        known = {"programme": "crm-sales", "day": "2026-03-01", "pair": "EUR/USD", "rate": "1.08", "source": "ana"}
        rate = RatePublished(**known | fields)
        return Record(rate.key.encode(), encode_rate(rate))

    limit = DlqLimit(share_max_ppm=1_000_000, run_max=100)
    dead_letters = DeadLetters(bus, limit=limit, clock=SetClock())
    consumer = Consumer(bus, RATES.name, "rewards-rates", RatesOwner(database=database, dead_letters=dead_letters))
    await consumer.start()
    await bus.publish(
        RATES.name,
        [
            told(),
            told(rate="1.0842", source="bob"),
            told(pair="EUR/EUR"),
            told(pair="EUR/POINTS"),
            told(rate="0.0"),
            told(rate="1,08"),
            told(day="2026-13-01"),
            Record(b"x", b"{}"),
            told(day="2026-03-02", rate="1.09"),
        ],
    )
    deadline = asyncio.get_running_loop().time() + 30
    while (await bus.committed(RATES.name, "rewards-rates")).get(0) != 9:
        assert asyncio.get_running_loop().time() < deadline, "the rates were not read in time"
        await asyncio.sleep(0.05)
    await consumer.stop()
    rows = await database.fetch_all("SELECT day::text, base, quote, rate, source FROM rewards.rates ORDER BY day")
    assert rows == [("2026-03-01", "EUR", "USD", "1.0842", "bob"), ("2026-03-02", "EUR", "USD", "1.09", "ana")]
    assert (await bus.end_offsets(RATES.dlq))[0] == 6
