"""The bus contract over a real Apache Kafka, and the traps of FastStream and aiokafka that need a test of their own."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from faststream.middlewares import AckPolicy

from contracts.topics import Topic
from runtime.bus.kafka import KafkaBus
from runtime.bus.kafka.subscription import KafkaSubscription
from runtime.bus.port import Batch, Bus, BusUnavailable, PartitionLost, Record
from tests.contract.bus.cases import BusCases
from tests.contract.bus.owners import Recorder, eventually
from tests.contract.bus.world import PARTITIONS, opened
from tests.support.kafka import KafkaServer

pytestmark = pytest.mark.kafka


class KafkaWorld:
    name = "kafka"

    def __init__(self, server: KafkaServer) -> None:
        self._server = server
        self.url = server.servers

    def make_bus(self, client: str = "test") -> Bus:
        return opened(self, client)

    async def kill(self) -> None:
        await asyncio.to_thread(self._server.kill)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)


@pytest.fixture
def world(kafka_server: KafkaServer) -> KafkaWorld:
    return KafkaWorld(kafka_server)


class TestKafkaBus(BusCases):
    async def test_every_publish_goes_to_the_partitions_of_its_keys(self, bus: Bus, topic: str) -> None:
        """The trap of `publish_batch`, which puts a whole batch into one partition, a random one."""
        await bus.publish(topic, [Record(b"partner-%d" % n, b"x") for n in range(200)])
        ends = await bus.end_offsets(topic)
        assert all(end > 0 for end in ends.values())

    async def test_a_compacted_topic_is_compacted_and_the_others_are_kept_for_ever(
        self, bus: Bus, world: KafkaWorld
    ) -> None:
        kept, compacted = Topic("t.kept", "k", (), ()), Topic("t.compacted", "k", (), (), is_compacted=True)
        await bus.ensure_topics([kept, compacted], 1)
        admin = AIOKafkaAdminClient(bootstrap_servers=world.url)
        await admin.start()
        try:
            found = {}
            for topic in (kept, compacted):
                (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
                found[topic.name] = {entry[0]: entry[1] for entry in answer.resources[0][4]}
        finally:
            await admin.close()
        assert found["t.kept"]["cleanup.policy"] == "delete"
        assert found["t.kept"]["retention.ms"] == "-1"
        assert found["t.kept"]["message.timestamp.type"] == "LogAppendTime"
        assert found["t.compacted"]["cleanup.policy"] == "compact"

    async def test_partitions_work_side_by_side_in_one_poll(self, bus: Bus, topic: str) -> None:
        """The trap of batches that hold several partitions: each gets its own, none waits for another to begin."""
        together = asyncio.Event()
        recorder: Recorder

        async def meet(batch: object) -> None:
            if len(recorder.busy) == PARTITIONS:
                together.set()
            await asyncio.wait_for(together.wait(), 30)

        recorder = Recorder(before=meet)
        await bus.publish(topic, [Record(b"all", b"x", partition=number) for number in range(PARTITIONS)])
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("all at once", together.is_set)
        await subscription.close()

    async def test_partitions_without_a_stored_offset_are_sought_as_well(self, bus: Bus, topic: str) -> None:
        """What is fetched between assignment and listener is dropped; unsought partitions would skip it."""

        class SlowToAssign(Recorder):
            async def assigned(self, topic: str, partition: int) -> int | None:
                await asyncio.sleep(0.3)  # Long enough for a fetch to come in between; the claim holds without it.
                return await super().assigned(topic, partition)

        await bus.publish(topic, [Record(b"k", b"%d" % n, partition=n % PARTITIONS) for n in range(100)])
        recorder = SlowToAssign(starts={0: 5})
        subscription = await self._subscribed(bus, topic, recorder)
        await eventually("all but the first five", lambda: recorder.count >= 95)
        await subscription.close()
        assert recorder.offsets == {0: list(range(5, 25)), 1: [*range(25)], 2: [*range(25)], 3: [*range(25)]}

    async def test_the_libraries_do_what_we_told_them_and_not_what_they_would(self, bus: Bus, topic: str) -> None:
        subscription = await self._subscribed(bus, topic, Recorder())
        assert isinstance(subscription, KafkaSubscription)
        await eventually("started", lambda: len(subscription.assignment()) == PARTITIONS)
        subscriber = subscription._subscriber
        assert subscriber.ack_policy is AckPolicy.MANUAL
        assert subscriber.consumer is not None
        assert subscriber.consumer._enable_auto_commit is False
        assert subscriber.consumer._auto_offset_reset == "earliest"
        assert subscriber.batch_timeout_ms <= 10
        await bus.publish(topic, [Record(b"k", b"v")])
        assert isinstance(bus, KafkaBus)
        producer = bus._publisher._producer
        assert producer is not None
        assert producer._sender._acks == -1
        assert producer._txn_manager is not None
        await subscription.close()

    async def test_a_failed_producer_is_replaced(self, bus: Bus, topic: str) -> None:
        assert isinstance(bus, KafkaBus)
        await bus.publish(topic, [Record(b"k", b"0")])
        producer = bus._publisher._producer
        assert producer is not None
        producer._message_accumulator.fail_all(RuntimeError("sequence numbers are out of order"))
        with pytest.raises(Exception, match="out of order"):
            await bus.publish(topic, [Record(b"k", b"1")])
        await bus.publish(topic, [Record(b"k", b"2")])
        assert bus._publisher._producer is not producer
        assert sum((await bus.end_offsets(topic)).values()) == 2

    async def test_closing_ends_also_while_a_producer_is_given_up(self, topic: str, world: KafkaWorld) -> None:
        """The trap of aiokafka's `close`, which swallows the cancellation of whoever awaits it (`stopping.py`).

        The producer is given up and the publish refused at the same moment, so the close comes into the stopping.
        """
        rng = random.Random(5)
        refused = 0
        for _ in range(60):
            bus = KafkaBus(world.url, client="test", publish_wait_s_max=rng.uniform(0.001, 0.02))
            await bus.start()
            try:
                await bus.publish(topic, [Record(b"k", b"v")])
            except BusUnavailable:
                refused += 1
            await asyncio.wait_for(bus.close(), 30)
        assert refused, "some were in too much of a hurry"

    async def test_a_commit_after_the_group_moved_on_is_refused(self, bus: Bus, topic: str) -> None:
        """A member that the broker has expelled may not commit what is somebody else's by then."""
        refused: list[PartitionLost] = []

        async def expel(batch: Batch) -> None:
            if refused:
                return
            consumer = subscription._subscriber.consumer
            assert consumer is not None
            # As the broker does with a member that it has not heard from.
            await consumer._coordinator._maybe_leave_group()
            try:
                await batch.commit()
            except PartitionLost as error:
                refused.append(error)
                raise

        recorder, other_recorder = Recorder(before=expel), Recorder()
        subscription = await self._subscribed(bus, topic, recorder)
        # Of a group without members, Kafka takes commits from anybody.
        other = await self._subscribed(bus, topic, other_recorder)
        await eventually("two each", lambda: len(subscription.assignment()) == len(other.assignment()) == 2)
        (mine, *_) = subscription.assignment()
        await bus.publish(topic, [Record(b"k", b"0", partition=mine)])
        await eventually("delivered again", lambda: recorder.count + other_recorder.count >= 1)
        await subscription.close()
        await other.close()
        assert len(refused) == 1
        assert await bus.committed(topic, f"g-{topic}") == {mine: 1}
