"""Tiers of decisions from before there were standings: read once, from the log or the archive."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import pytest

from contracts.decisions import Decision
from contracts.errors import PermanentError, TransientError
from contracts.topics import DECISIONS, TOPICS
from runtime.bus.consumer import Consumer
from runtime.bus.partitioner import partition_of
from runtime.bus.port import Batch, Bus, Record
from runtime.bus.postgres import PostgresBus
from runtime.database import Database
from runtime.migrations import migrate
from services.rewards.decode import decode_heads
from services.rewards.settings import GROUP, GROUP_ARCHIVE
from services.rewards.standings import catching_up, store
from services.rewards.standings.catching_up import CatchUp
from services.rewards.standings.keeping import Standings
from tests.integration.rewards.test_rewards_service import handled, record, running, sample, until
from tests.support.catalogues import PROGRAMME, publish, redeeming
from tests.support.decisions import TIME_MS, decided

pytestmark = pytest.mark.timeout(120)
PARTITIONS = 3
BEFORE_STANDINGS = "0008"


async def never() -> None:
    """What is delivered here is committed by nobody."""
    raise AssertionError


def moved(number: int, partner: str, tier: str, *, time_ms: int = TIME_MS) -> Decision:
    fields: dict[str, Any] = {"rule": "tier", "amount_minor": None, "unit": None, "tier_to": tier, "time_ms": time_ms}
    return decided(number, partner=partner, **fields)


def history(rng: random.Random, first: int, count: int) -> list[Decision]:
    """Mostly money; now and then a tier, up or down, later or earlier than the one before by the time of its event."""
    tiers = ("bronze", "silver", "gold")
    return [
        moved(number, f"p{rng.randrange(20)}", rng.choice(tiers), time_ms=TIME_MS + rng.randrange(10**9))
        if rng.random() < 0.3
        else decided(number, partner=f"p{rng.randrange(20)}")
        for number in range(first, first + count)
    ]


def tiers_of(decisions: Sequence[Decision]) -> dict[str, str]:
    return {each.partner: each.tier_to for each in decisions if each.tier_to is not None}


def kept(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT partner, tier FROM rewards.standings").fetchall())


class _CommitsOnly:
    """A posting consumer of a version that knew no standings, as far as the group is concerned."""

    async def assigned(self, topic: str, partition: int) -> int | None:
        return None

    async def handle(self, batch: Batch) -> None:
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None: ...


@contextlib.asynccontextmanager
async def log_of(url: str) -> AsyncIterator[PostgresBus]:
    bus = PostgresBus(url, client="test")
    await bus.start()
    await bus.ensure_topics(TOPICS, PARTITIONS)
    yield bus
    await bus.close()


async def posted_before(bus: Bus, decisions: Sequence[Decision]) -> None:
    await bus.publish(DECISIONS.name, [record(each) for each in decisions])
    for group in (GROUP, GROUP_ARCHIVE):
        consumer = Consumer(bus, DECISIONS.name, group, _CommitsOnly())
        await consumer.start()
        await until(handled(bus, group))
        await consumer.stop()


async def are_known(url: str, bus: Bus) -> bool:
    """Whether the standings are those of all decisions in the log."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT log_partition, next_offset FROM rewards.standings_read").fetchall()
    ends = await bus.end_offsets(DECISIONS.name)
    return {partition: done for partition, done in rows if partition >= 0} == ends


async def served_until_known(url: str, *late: Decision) -> dict[str, str]:
    """The service starts, gets some more, and has read everything of before."""
    async with running(url, rewards_clock_every_ms=20) as (app, bus):
        await bus.publish(DECISIONS.name, [record(each) for each in late])
        await until(lambda: are_known(url, bus))

        async def is_level() -> bool:
            return sample(app, "goodword_rewards_standings_behind_decisions") == 0

        await until(is_level)
    return kept(url)


async def test_a_ledger_of_before_standings_gets_them_from_the_log(postgres_url: str, seed: int) -> None:
    migrate(postgres_url, "rewards", revision=BEFORE_STANDINGS)
    rng = random.Random(seed)
    old, late = history(rng, 0, 400), history(rng, 400, 40)
    async with log_of(postgres_url) as bus:
        await posted_before(bus, old)
    assert await served_until_known(postgres_url, *late) == tiers_of([*old, *late])
    # Another start reads nothing again, and changes nothing.
    assert await served_until_known(postgres_url) == tiers_of([*old, *late])


async def test_where_the_log_has_lost_its_beginning_the_archive_stands_for_it(postgres_url: str, seed: int) -> None:
    rng = random.Random(seed)
    old = history(rng, 0, 300)
    async with running(postgres_url) as (_, bus):
        for start in range(0, len(old), 50):
            await bus.publish(DECISIONS.name, [record(each) for each in old[start : start + 50]])
            await until(handled(bus, GROUP_ARCHIVE))
        await until(handled(bus, GROUP))
    with psycopg.connect(postgres_url) as owner:
        owner.execute("TRUNCATE rewards.standings, rewards.standings_read")
    async with log_of(postgres_url) as bus:
        assert await bus.trim(DECISIONS.name, bytes_max=40_000) > 0
    late = history(rng, 300, 30)
    assert await served_until_known(postgres_url, *late) == tiers_of([*old, *late])


async def test_a_ledger_restored_to_an_earlier_moment_reads_what_it_forgot(postgres_url: str, seed: int) -> None:
    old = history(random.Random(seed), 0, 200)
    await served_until_known(postgres_url, *old)
    with psycopg.connect(postgres_url) as owner:
        owner.execute("UPDATE rewards.standings_read SET next_offset = 20, until_offset = 20")
        owner.execute("DELETE FROM rewards.standings WHERE log_offset >= 20")
    assert await served_until_known(postgres_url) == tiers_of(old)


async def test_a_log_that_was_made_anew_begins_again(postgres_url: str) -> None:
    await served_until_known(postgres_url, *[moved(n, "ann", "gold") for n in range(30)], moved(30, "bob", "gold"))
    with psycopg.connect(postgres_url) as owner:
        owner.execute("DROP SCHEMA bus CASCADE")
    new = [moved(31, "ann", "silver")]
    assert await served_until_known(postgres_url, *new) == {"ann": "silver", "bob": "gold"}


async def test_reading_that_is_cut_off_anywhere_goes_on_and_an_older_decision_changes_nothing(
    database: Database, ledger_url: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(catching_up, "READ_RECORDS_MAX", 7)
    rng = random.Random(seed)
    old = history(rng, 0, 300)
    async with log_of(ledger_url) as bus:
        await posted_before(bus, old)
        async with database.connection() as connection:
            cuts = 0
            is_done = False
            while not is_done:
                standings = Standings(database, bus)
                for partition in range(PARTITIONS):
                    await standings.assigned(partition)
                reading = asyncio.create_task(CatchUp(database, bus, standings).round())
                await asyncio.wait({reading}, timeout=rng.uniform(0.02, 0.1) * (1 + cuts / 10))
                is_done = reading.done()
                cuts += not is_done
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                await deliver_again(bus, standings, rng.randrange(PARTITIONS), rng.randrange(40))
            assert await store.behind(connection) == 0
        assert kept(ledger_url) == tiers_of(old)
        assert cuts, "nothing was cut off: read slower"


async def deliver_again(bus: Bus, standings: Standings, partition: int, start: int) -> None:
    async for records in bus.read(DECISIONS.name, partition, start=start, end=start + 5, batch_records_max=5):
        decoded = decode_heads([each.value for each in records])
        batch = Batch(DECISIONS.name, partition, records, records[-1].offset + 1, commit=never)
        await standings.keep(batch, decoded.indexes, decoded.decisions)


async def test_what_is_for_certain_tiers_waits_until_tiers_are_known(database: Database, ledger_url: str) -> None:
    await publish(database, card={"tiers": "[silver]", "price": "1 USD"}, mug={"price": "1 USD"})
    on = redeeming(database)
    async with log_of(ledger_url) as bus:
        await posted_before(bus, [moved(1, "ann", "silver")])
        standings = Standings(database, bus)
        catch_up = CatchUp(database, bus, standings)
        await catch_up.round()
        with pytest.raises(TransientError, match="1 to go: ask again"):
            await on.reserve(PROGRAMME, "card", "partner:ann", quantity=1, key="k", by="ann")
        # What is for everybody does not wait: it is only refused for want of money.
        with pytest.raises(PermanentError, match="not-enough"):
            await on.reserve(PROGRAMME, "mug", "partner:ann", quantity=1, key="k", by="ann")
        await standings.assigned(partition_of(b"ann", PARTITIONS))
        await catch_up.round()
        with pytest.raises(PermanentError, match="not-enough"):
            await on.reserve(PROGRAMME, "card", "partner:ann", quantity=1, key="k", by="ann")


async def test_the_partition_where_a_partner_is_today_has_the_last_word(database: Database, ledger_url: str) -> None:
    """As after the topic was given more partitions: what is read of the old one comes in any order."""
    before, now = moved(1, "ann", "gold"), moved(2, "ann", "silver")
    home = partition_of(b"ann", PARTITIONS)
    other = (home + 1) % PARTITIONS
    async with log_of(ledger_url) as bus:
        for partition, decision in ((other, before), (home, now)):
            values = record(decision)
            await bus.publish(DECISIONS.name, [Record(values.key, values.value, values.headers, partition=partition)])
        await posted_before(bus, [])
        for partitions in ((home, other), (other, home)):
            standings = Standings(database, bus)
            for partition in partitions:
                await standings.assigned(partition)
            await CatchUp(database, bus, standings).round()
            assert kept(ledger_url) == {"ann": "silver"}
            with psycopg.connect(ledger_url) as owner:
                owner.execute("TRUNCATE rewards.standings, rewards.standings_read")
