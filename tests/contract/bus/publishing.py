"""The contract of publishing: durable, in order, in the right partition, or refused with a reason."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from contracts.errors import PermanentError
from contracts.topics import Topic
from runtime.bus.partitioner import partition_of
from runtime.bus.port import RECORD_BYTES_MAX, Bus, BusUnavailable, Record
from tests.contract.bus.owners import Recorder, eventually
from tests.contract.bus.world import PARTITIONS, Cases, World, eventually_available, keyed


class PublishingCases(Cases):
    async def test_topics_are_made_once_with_their_dead_letter_queue(self, bus: Bus) -> None:
        topic = Topic(f"t.{uuid.uuid4().hex[:8]}", "partner", (), (), is_compacted=True)
        await bus.ensure_topics([topic], 3)
        await bus.ensure_topics([topic], 5)
        assert await bus.partition_count(topic.name) == 3
        assert await bus.partition_count(topic.dlq) == 1
        assert await bus.end_offsets(topic.name) == {0: 0, 1: 0, 2: 0}

    async def test_a_topic_that_is_not_there_is_told(self, bus: Bus) -> None:
        with pytest.raises(BusUnavailable, match="not there"):
            await bus.publish("t.nobody-made-me", [Record(b"k", b"v")])

    async def test_records_of_one_key_keep_their_order_and_their_partition(self, bus: Bus, topic: str) -> None:
        records = keyed(1_000)
        # Several publishes at once: each starts before the one before it has been confirmed.
        await asyncio.gather(*(bus.publish(topic, records[first : first + 7]) for first in range(0, 1_000, 7)))
        recorder = Recorder()
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("all records", lambda: recorder.count == 1_000)
        await subscription.close()
        for partition, values in recorder.values.items():
            expected = [one.value for one in records if partition_of(one.key, PARTITIONS) == partition]
            assert values == expected
            assert recorder.offsets[partition] == list(range(len(expected)))

    async def test_keys_values_headers_and_times_arrive_as_sent(self, bus: Bus, topic: str) -> None:
        headers = (("ce_type", b"deal.won"), ("ce_type", "zwölf".encode()), ("empty", b""))
        await bus.publish(topic, [Record(b"k", bytes(range(256)), headers, partition=2), Record(b"", b"", (), 2)])
        found = [one async for part in bus.read(topic, 2, start=0, end=2, batch_records_max=10) for one in part]
        assert [(one.key, one.value, one.headers) for one in found] == [
            (b"k", bytes(range(256)), headers),
            (b"", b"", ()),
        ]
        assert all(one.recorded_at_ms > 1_700_000_000_000 for one in found)

    async def test_a_broadcast_reaches_the_partition_it_names(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [Record(b"all", b"x", partition=number) for number in range(PARTITIONS)])
        assert await bus.end_offsets(topic) == dict.fromkeys(range(PARTITIONS), 1)

    async def test_a_partition_that_is_not_there_is_a_mistake(self, bus: Bus, topic: str) -> None:
        with pytest.raises(PermanentError, match="no partition 9"):
            await bus.publish(topic, [Record(b"k", b"fine"), Record(b"all", b"x", partition=9)])
        assert sum((await bus.end_offsets(topic)).values()) == 0

    async def test_a_record_over_the_limit_is_a_mistake_and_one_at_the_limit_is_not(self, bus: Bus, topic: str) -> None:
        with pytest.raises(PermanentError) as refused:
            await bus.publish(topic, [Record(b"k", bytes(RECORD_BYTES_MAX))])
        assert refused.value.problem.code == "record-too-large"
        await bus.publish(topic, [Record(b"k", bytes(RECORD_BYTES_MAX - 1))])
        assert sum((await bus.end_offsets(topic)).values()) == 1

    async def test_what_publish_confirmed_survives_kill_minus_9(self, world: World, bus: Bus, topic: str) -> None:
        await bus.publish(topic, keyed(500))
        await world.kill()
        await world.start()
        await eventually_available(bus)
        ends = await bus.end_offsets(topic)
        assert sum(ends.values()) == 500
        found = [
            int(one.value)
            for partition, end in ends.items()
            async for part in bus.read(topic, partition, start=0, end=end, batch_records_max=100)
            for one in part
        ]
        assert sorted(found) == list(range(500))

    async def test_reading_a_range_gives_exactly_the_range(self, bus: Bus, topic: str) -> None:
        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=3) for n in range(100)])
        parts = [part async for part in bus.read(topic, 3, start=20, end=75, batch_records_max=30)]
        assert [one.offset for part in parts for one in part] == list(range(20, 75))
        assert max(len(part) for part in parts) <= 30
        assert [part async for part in bus.read(topic, 3, start=100, end=500, batch_records_max=30)] == []
