"""The relay: in commit order, at least once with stable ids, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from contracts.facts import TransferPosted, decode_transfer
from contracts.topics import LEDGER, TOPICS
from goodword.embedded.postgres import PostgresServer
from runtime.bus.open import open_bus
from runtime.bus.port import Bus, Received
from runtime.database import Database
from services.rewards.outbox import Relay
from services.rewards.store import SETUP, Ledger
from tests.support.decisions import decided
from tests.support.ledger import transfers

pytestmark = pytest.mark.timeout(120)
DEADLINE_S = 40


@pytest.fixture
async def bus(ledger_url: str) -> AsyncIterator[Bus]:
    made = open_bus(kafka=None, postgres=ledger_url, client="test")
    await made.start()
    # One partition, so that the order of commits is the order of the log.
    await made.ensure_topics(TOPICS, 1)
    yield made
    await made.close()


def relay_of(url: str, bus: Bus) -> Relay:
    return Relay(url, bus, setup=SETUP, poll_s=0.02, transfers_max=5)


async def published(bus: Bus) -> list[Received]:
    end = (await bus.end_offsets(LEDGER.name))[0]
    return [
        record
        async for records in bus.read(LEDGER.name, 0, start=0, end=end, batch_records_max=100)
        for record in records
    ]


async def until(is_so: Callable[[], Awaitable[bool]], *, what: str) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await is_so():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.02)


def outbox_empty(database: Database) -> Callable[[], Awaitable[bool]]:
    async def is_empty() -> bool:
        return not await database.fetch_all("SELECT 1 FROM rewards.outbox LIMIT 1")

    return is_empty


async def test_facts_are_published_in_the_order_of_the_commits(
    ledger: Ledger, database: Database, ledger_url: str, bus: Bus
) -> None:
    posted: list[TransferPosted] = []
    for numbers in ([5, 6, 7, 8, 9, 10, 11], [1], [3, 2], [4, 1]):
        batch = transfers(*(decided(number) for number in numbers))
        await ledger.post(batch)
        posted += [fact for fact in sorted(batch, key=lambda fact: fact.id) if fact not in posted]
    relay = relay_of(ledger_url, bus)
    await relay.start()
    await until(outbox_empty(database), what="the outbox is not empty")
    # More while it runs, posted by who does not wake it.
    late = transfers(decided(20))
    await ledger.post(late)
    await until(outbox_empty(database), what="the outbox is not empty")
    await relay.stop()
    assert [decode_transfer(record.value) for record in await published(bus)] == posted + late


async def test_published_and_not_deleted_is_published_again_with_the_same_id(
    ledger: Ledger, database: Database, ledger_url: str, bus: Bus
) -> None:
    """A crash between the two, made by putting the rows back as the crash would have left them."""
    await ledger.post(transfers(decided(1), decided(2)))
    rows = await database.fetch_all("SELECT block, facts, posted_ids FROM rewards.outbox")
    for _ in range(2):
        relay = relay_of(ledger_url, bus)
        await relay.start()
        await until(outbox_empty(database), what="the outbox is not empty")
        await relay.stop()
        async with database.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany("INSERT INTO rewards.outbox VALUES (%s, %s, %s)", rows)
    first, second, third, fourth = await published(bus)
    assert (first.value, first.headers, second.value) == (third.value, third.headers, fourth.value)


async def test_one_relay_at_a_time_and_the_next_takes_over(
    ledger: Ledger, database: Database, ledger_url: str, bus: Bus
) -> None:
    relays = [relay_of(ledger_url, bus) for _ in range(3)]
    for relay in relays:
        await relay.start()
    for number in range(20):
        await ledger.post(transfers(decided(number)))
    await until(outbox_empty(database), what="the outbox is not empty")
    with psycopg.connect(ledger_url, autocommit=True) as connection:
        # The one that holds the lock loses its connection, as if its process had been killed.
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND application_name = 'goodword-rewards-relay'"
            " AND datname = current_database()"
        ).fetchall()
    assert ended == [(True,)]
    for number in range(20, 40):
        await ledger.post(transfers(decided(number)))
    await until(outbox_empty(database), what="nobody took over")
    for relay in relays:
        await relay.stop()
    assert len(await published(bus)) == 40


async def test_the_relay_rides_out_an_outage(postgres_server: PostgresServer, ledger_url: str) -> None:
    bus = open_bus(kafka=None, postgres=ledger_url, client="test")
    await bus.start()
    await bus.ensure_topics(TOPICS, 1)
    relay = relay_of(ledger_url, bus)
    await relay.start()
    postgres_server.kill()
    postgres_server.start()
    database = Database(ledger_url, application="rewards", setup=SETUP)
    await database.start()
    await Ledger(database).post(transfers(decided(1)))
    await until(outbox_empty(database), what="the relay did not come back")
    await relay.stop()
    assert len(await published(bus)) == 1
    await database.stop()
    await bus.close()
