"""The bus on Kafka: topics, offsets and scans; publishing and consuming have modules of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.errors import Problem
from contracts.topics import Topic
from runtime.bus.batches import by_partition, check_size
from runtime.bus.kafka.publisher import KafkaPublisher
from runtime.bus.kafka.security import broker_security, client_options, probe
from runtime.bus.kafka.stopping import stopped, stopping
from runtime.bus.kafka.subscription import KafkaSubscription
from runtime.bus.port import PUBLISH_WAIT_S_MAX, RECORD_BYTES_MAX, BusUnavailable, Owner, Received, Record
from runtime.bus.security import IN_THE_CLEAR, KafkaSecurity

ASK_S_MAX: Final = 5.0
TOPICS_S_MAX: Final = 15.0
READ_BYTES_MAX: Final = 4 * 1024 * 1024
READ_POLL_MS: Final = 1_000
RECORD_OVERHEAD_BYTES: Final = 300
"""Headers and framing of a record, for bounding memory."""


class KafkaBus:
    """See the module; `runtime.bus.port.Bus`.

    Args:
        servers: `host:port,host:port`.
        client: Who we are, for the broker's logs and quotas.
        security: TLS and SASL, for all clients made here.
        publish_wait_s_max: How long a publish waits in an outage before it raises BusUnavailable.
    """

    name = "kafka"

    def __init__(
        self,
        servers: str,
        *,
        client: str,
        security: KafkaSecurity = IN_THE_CLEAR,
        publish_wait_s_max: float = PUBLISH_WAIT_S_MAX,
    ) -> None:
        self._servers = servers
        self._client = f"goodword-{client}"
        self._security = security
        self._options = client_options(security)
        self._publisher = KafkaPublisher(servers, self._client, self._options, wait_s_max=publish_wait_s_max)
        self._counts: dict[str, int] = {}
        self._counting = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._observer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Raises BusUnavailable; its cause tells a refusal from an outage."""
        unavailable = await self._unavailable()
        if unavailable is not None:
            try:
                await probe(self._servers, self._options)
            except Exception as reason:
                raise BusUnavailable(f"Kafka: {reason or type(reason).__name__}") from reason
            raise unavailable
        self._publisher.start()

    async def close(self) -> None:
        await self._publisher.close()
        await self._drop_observer()

    async def _unavailable(self) -> BusUnavailable | None:
        try:
            await self.check()
        except BusUnavailable as error:
            return error
        return None

    async def check(self) -> None:
        async with self._ask() as consumer:
            # Metadata are cached for minutes; this really asks.
            if not await consumer._client.force_metadata_update():  # noqa: SLF001
                raise BusUnavailable("Kafka does not answer")

    async def ensure_topics(self, topics: Sequence[Topic], partitions: int) -> None:
        wanted = [_new_topic(topic.name, partitions, is_compacted=topic.is_compacted) for topic in topics]
        wanted += [_new_topic(topic.dlq, 1, is_compacted=False) for topic in topics]
        async with self._admin() as admin:
            response = await admin.create_topics(wanted, validate_only=False)
        for name, code, *_ in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise BusUnavailable(f"Kafka did not create the topic {name}: {error.__name__}")
        await self._visible([topic.name for topic in wanted])

    async def _visible(self, names: Sequence[str]) -> None:
        """Wait until brokers tell of the topics: they do so a moment after the controller has made them."""
        deadline = asyncio.get_running_loop().time() + TOPICS_S_MAX
        async with self._admin(seconds=TOPICS_S_MAX * 2) as admin:
            while True:
                described = await admin.describe_topics(list(names))
                if all(one["error_code"] == 0 and one["partitions"] for one in described):
                    return
                if asyncio.get_running_loop().time() > deadline:
                    raise BusUnavailable("Kafka made the topics, but does not tell of them")
                await asyncio.sleep(0.05)

    async def partition_count(self, topic: str) -> int:
        """Remembered. Raises BusUnavailable for a topic that is not there (yet)."""
        known = self._counts.get(topic)
        if known is not None:
            return known
        async with self._counting:
            # Many ask at once in the beginning; those who waited find the answer here.
            if topic not in self._counts:
                async with self._admin() as admin:
                    (described,) = await admin.describe_topics([topic])
                if described["error_code"] or not described["partitions"]:
                    problem = Problem(code="no-such-topic", message="the topic is not there", where=topic)
                    raise BusUnavailable(str(problem))
                self._counts[topic] = len(described["partitions"])
        return self._counts[topic]

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        if not records:
            return
        size = 0
        for record in records:
            size += len(record.value) + RECORD_OVERHEAD_BYTES
            if len(record.value) > RECORD_BYTES_MAX // 2:
                check_size(topic, record)
        await self._publisher.publish(topic, by_partition(topic, records, await self.partition_count(topic)), size)

    async def subscribe(
        self,
        topic: str,
        group: str,
        owner: Owner,
        *,
        batch_records_max: int,
        batch_bytes_max: int,
        linger_ms: int = 0,
    ) -> KafkaSubscription:
        return KafkaSubscription(
            self._servers,
            self._client,
            topic,
            group,
            owner,
            batch_records_max=batch_records_max,
            batch_bytes_max=batch_bytes_max,
            linger_ms=linger_ms,
            security=broker_security(self._security),
        )

    async def end_offsets(self, topic: str) -> dict[int, int]:
        places = [TopicPartition(topic, number) for number in range(await self.partition_count(topic))]
        async with self._ask() as consumer:
            ends = await consumer.end_offsets(places)
        return {place.partition: end for place, end in ends.items()}

    async def committed(self, topic: str, group: str) -> dict[int, int]:
        places = [TopicPartition(topic, number) for number in range(await self.partition_count(topic))]
        async with self._admin() as admin:
            offsets = await admin.list_consumer_group_offsets(group, partitions=places)
        return {place.partition: found.offset for place, found in offsets.items() if found.offset >= 0}

    async def read(
        self, topic: str, partition: int, *, start: int, end: int, batch_records_max: int
    ) -> AsyncIterator[Sequence[Received]]:
        """See the port. Raises BusUnavailable; the caller starts again where it was."""
        end = min(end, (await self.end_offsets(topic)).get(partition, 0))
        if start >= end:
            return
        place = TopicPartition(topic, partition)
        consumer = self._consumer()
        try:
            await _started(consumer)
            consumer.assign([place])
            consumer.seek(place, start)
            position, silent_ms = start, 0
            while position < end:
                found = (await consumer.getmany(place, timeout_ms=READ_POLL_MS, max_records=batch_records_max)).get(
                    place, []
                )
                silent_ms = 0 if found else silent_ms + READ_POLL_MS
                if silent_ms > ASK_S_MAX * 1000:
                    raise BusUnavailable("Kafka does not answer")
                position = await consumer.position(place)
                wanted = [
                    Received(one.offset, one.key or b"", one.value or b"", tuple(one.headers), one.timestamp)
                    for one in found
                    if one.offset < end
                ]
                if wanted:
                    yield wanted
        except (KafkaError, OSError) as error:
            raise BusUnavailable(f"Kafka: {error}") from error
        finally:
            await stopped(consumer.stop)

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=self._client,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=500,
            max_partition_fetch_bytes=READ_BYTES_MAX,
            request_timeout_ms=int(ASK_S_MAX * 1000),
            metadata_max_age_ms=60_000,
            retry_backoff_ms=100,
            isolation_level="read_uncommitted",
            **self._options,
        )

    @asynccontextmanager
    async def _ask(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer outside any group, kept for the next question. Raises BusUnavailable."""
        async with self._asking:
            try:
                async with asyncio.timeout(ASK_S_MAX):
                    if self._observer is None:
                        consumer = self._consumer()
                        await _started(consumer)
                        self._observer = consumer
                    yield self._observer
            except (KafkaError, OSError, TimeoutError) as error:
                await self._drop_observer()
                raise BusUnavailable(f"Kafka: {error or 'no answer in time'}") from error

    @asynccontextmanager
    async def _admin(self, *, seconds: float = ASK_S_MAX * 2) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client for one question. Raises BusUnavailable."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._servers,
            client_id=self._client,
            request_timeout_ms=int(ASK_S_MAX * 1000),
            **self._options,
        )
        try:
            async with asyncio.timeout(seconds):
                await admin.start()
                yield admin
        except (KafkaError, OSError, TimeoutError) as error:
            raise BusUnavailable(f"Kafka: {error or 'no answer in time'}") from error
        finally:
            await stopped(admin.close)

    async def _drop_observer(self) -> None:
        consumer, self._observer = self._observer, None
        if consumer is not None:
            await stopped(consumer.stop)


async def _started(consumer: AIOKafkaConsumer) -> None:
    """Start, or clean up: aiokafka leaves its connections open when the start fails."""
    try:
        await consumer.start()
    except BaseException:
        stopping(consumer.stop)
        raise


def _new_topic(name: str, partitions: int, *, is_compacted: bool) -> NewTopic:
    """A topic kept for ever (it is what everything is rebuilt from), stamped by the broker, replicated as it likes."""
    return NewTopic(
        name=name,
        num_partitions=partitions,
        # -1 takes the broker's own default; aiokafka lets it pass only with assignments given.
        replication_factor=-1,
        replica_assignments={},
        topic_configs={
            "cleanup.policy": "compact" if is_compacted else "delete",
            "retention.ms": "-1",
            "message.timestamp.type": "LogAppendTime",
        },
    )
