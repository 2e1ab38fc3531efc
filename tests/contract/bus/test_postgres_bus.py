"""The bus contract over the PostgreSQL log, and what only the log has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from contracts.topics import CLICKS, PARTNERS, REFERRALS, TOPICS, Topic
from goodword.embedded.postgres import PostgresServer
from runtime.bus.port import Batch, Bus, PartitionLost, Record
from runtime.bus.postgres import PostgresBus
from runtime.bus.retention import Retention
from runtime.clock import SystemClock
from tests.contract.bus.cases import BusCases
from tests.contract.bus.owners import DEADLINE_S, Recorder, eventually
from tests.contract.bus.world import eventually_available, opened


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


class TwoDaysAhead:
    def now_ms(self) -> int:
        return SystemClock().now_ms() + 2 * 24 * 3_600_000


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

    async def test_retention_keeps_what_a_group_has_still_to_handle(self, log: PostgresBus, topic: str) -> None:
        for n in range(4):
            await log.publish(topic, [Record(b"k", b"%d" % n, partition=0)])

        async def stop_before_the_third(batch: Batch) -> None:
            if batch.records[0].offset >= 2:
                raise PartitionLost("later")

        subscription = await self._subscribed(log, topic, Recorder(before=stop_before_the_third), batch_records_max=1)

        async def two_are_handled() -> bool:
            return await log.committed(topic, f"g-{topic}") == {0: 2}

        async with asyncio.timeout(DEADLINE_S):
            while not await two_are_handled():  # noqa: ASYNC110 - a server's table, nothing that could set an event
                await asyncio.sleep(0.02)
        await subscription.close()
        assert await log.trim(topic, bytes_max=0) == 2
        found = [one async for part in log.read(topic, 0, start=0, end=4, batch_records_max=5) for one in part]
        assert [one.offset for one in found] == [2, 3]

    async def test_one_of_many_processes_looks_after_the_log_and_spares_what_states_are_rebuilt_from(
        self, world: PostgresWorld, postgres_server: PostgresServer
    ) -> None:
        url = postgres_server.ensure_database("bus_kept")
        keeping = Retention(days_max=1.0, every_s=0.1)
        buses = [PostgresBus(url, client=f"keeper-{n}", retention=keeping, clock=TwoDaysAhead()) for n in range(3)]
        for bus in buses:
            await bus.start()
        await buses[0].ensure_topics(TOPICS, 1)
        for topic in (CLICKS, REFERRALS, PARTNERS):
            for n in range(3):
                await buses[0].publish(topic.name, [Record(b"k", b"%d" % n)])

        async def left(topic: Topic) -> list[bytes]:
            read = buses[0].read(topic.name, 0, start=0, end=3, batch_records_max=5)
            return [one.value async for part in read for one in part]

        async with asyncio.timeout(DEADLINE_S):
            while await left(CLICKS) or len(await left(PARTNERS)) > 1:  # noqa: ASYNC110 - a server's tables
                await asyncio.sleep(0.02)
        assert await left(PARTNERS) == [b"2"]
        assert await left(REFERRALS) == [b"0", b"1", b"2"]
        with psycopg.connect(url) as connection:
            held = connection.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        assert held == (1,)
        for bus in buses:
            await bus.close()

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
