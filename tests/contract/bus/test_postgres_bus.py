"""The bus contract over the PostgreSQL log, and what only the log has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from contracts.topics import Topic
from goodword.embedded.postgres import PostgresServer
from runtime.bus.port import Batch, Bus, PartitionLost, Record
from runtime.bus.postgres import PostgresBus
from tests.contract.bus.cases import BusCases, eventually_available, opened
from tests.contract.bus.owners import Recorder, eventually


class PostgresWorld:
    name = "postgres"

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server = server
        self.url = url

    def make_bus(self, client: str = "test") -> Bus:
        return opened(self, client)

    async def kill(self) -> None:
        await asyncio.to_thread(self._server.kill)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)


@pytest.fixture
def world(postgres_server: PostgresServer, postgres_module_url: str) -> Iterator[PostgresWorld]:
    yield PostgresWorld(postgres_server, postgres_module_url)
    postgres_server.start()


class TestPostgresBus(BusCases):
    @pytest.fixture
    async def log(self, bus: Bus) -> PostgresBus:
        assert isinstance(bus, PostgresBus)
        return bus

    async def test_compaction_keeps_the_newest_record_of_each_key_at_its_offset(
        self, log: PostgresBus, topic: str
    ) -> None:
        for round_number in range(3):
            await log.publish(topic, [Record(b"k%d" % n, b"%d" % round_number, partition=0) for n in range(4)])
        await log.publish(topic, [Record(b"k0", b"9", partition=0)])
        assert await log.compact(topic) == 9
        found = [one async for part in log.read(topic, 0, start=0, end=13, batch_records_max=5) for one in part]
        assert [(one.key, one.value, one.offset) for one in found] == [
            (b"k1", b"2", 9),
            (b"k2", b"2", 10),
            (b"k3", b"2", 11),
            (b"k0", b"9", 12),
        ]
        assert await log.compact(topic) == 0
        assert (await log.end_offsets(topic))[0] == 13
        recorder = Recorder()
        subscription = await self._subscribed(log, topic, recorder)
        await eventually("the four that are left", lambda: recorder.count == 4)
        await subscription.close()
        assert await log.committed(topic, f"g-{topic}") == {0: 13}

    async def test_retention_drops_the_oldest_and_readers_go_on_at_what_is_left(
        self, log: PostgresBus, topic: str
    ) -> None:
        for n in range(10):
            await log.publish(topic, [Record(b"k", b"%d" % n + bytes(1_000), partition=0)])
        assert await log.trim(topic, bytes_max=3_500) == 7
        assert await log.trim(topic, older_than_ms=0) == 0
        found = [one async for part in log.read(topic, 0, start=0, end=10, batch_records_max=5) for one in part]
        assert [one.offset for one in found] == [7, 8, 9]
        assert await log.trim(topic, older_than_ms=found[-1].recorded_at_ms + 1) == 3
        await log.publish(topic, [Record(b"k", b"new", partition=0)])
        assert (await log.end_offsets(topic))[0] == 11

    async def test_many_small_publishes_share_transactions(self, log: PostgresBus, world: PostgresWorld) -> None:
        topic = Topic("t.small", "partner", (), ())
        await log.ensure_topics([topic], 1)
        await asyncio.gather(*(log.publish(topic.name, [Record(b"k", b"%d" % n)]) for n in range(500)))
        with psycopg.connect(world.url) as connection:
            rows = connection.execute(
                "SELECT count(*), sum(record_count) FROM bus.blobs JOIN bus.topics USING (topic_id) WHERE name = %s",
                (topic.name,),
            ).fetchone()
        assert rows is not None
        assert rows[1] == 500
        assert rows[0] < 50

    async def test_a_cut_off_owner_cannot_commit(self, log: PostgresBus, topic: str, world: PostgresWorld) -> None:
        """Its locks go with its connection, and its commits go through that very connection."""
        refused: list[PartitionLost] = []

        async def cut_off(batch: Batch) -> None:
            if refused:
                return
            with psycopg.connect(world.url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE '%-own' AND datname = current_database()"
                )
            try:
                await batch.commit()
            except PartitionLost as error:
                refused.append(error)
                raise

        recorder = Recorder(before=cut_off)
        subscription = await self._subscribed(log, topic, recorder)
        await log.publish(topic, [Record(b"k", b"0", partition=0)])
        await eventually("delivered again, to its new owner", lambda: recorder.count == 1)
        await subscription.close()
        assert len(refused) == 1
        assert recorder.log.index(("revoked", 0)) < recorder.log.index(("ended", 0))
        assert await log.committed(topic, f"g-{topic}") == {0: 1}

    async def test_starting_from_many_processes_at_once_makes_one_schema(self, postgres_server: PostgresServer) -> None:
        url = postgres_server.ensure_database("bus_race")
        buses = [PostgresBus(url, client=f"racer-{n}") for n in range(5)]
        await asyncio.gather(*(bus.start() for bus in buses))
        await asyncio.gather(*(bus.ensure_topics([Topic("t.race", "k", (), ())], 3) for bus in buses))
        assert await buses[0].partition_count("t.race") == 3
        await asyncio.gather(*(bus.close() for bus in buses))

    async def test_an_idle_publisher_does_not_notice_a_restart(self, world: PostgresWorld, topic: str) -> None:
        bus = world.make_bus("idle")
        await bus.start()
        await bus.publish(topic, [Record(b"k", b"0")])
        await world.kill()
        await world.start()
        await eventually_available(bus)
        await bus.publish(topic, [Record(b"k", b"1")])
        assert sum((await bus.end_offsets(topic)).values()) == 2
        await bus.close()
