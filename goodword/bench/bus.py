"""The row `bus`: records a second through the log, published durably and then handed over and committed.

The two ways are measured one after the other and their times added: a record that takes 10 µs in and 5 µs out counts
as 67,000 a second. p50 and p99 are of a publish. Events of 400 bytes with the seven headers of an event, in publishes
of 1,000 by four publishers at once, over eight partitions; then one subscription reads all of it in batches of up
to 2,000 and commits each. The raw path moves the same bytes without any of our work: on PostgreSQL it inserts the ready
blobs into a bare table in equally large transactions and selects them again; on Kafka it is aiokafka's own
producer and `getmany`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.events import event_headers
from contracts.topics import Topic
from goodword.bench.report import BenchRow
from runtime.bus.batches import by_partition
from runtime.bus.open import open_bus
from runtime.bus.port import Batch, Bus, Record
from runtime.bus.postgres import frames

RECORDS: Final = 200_000
PUBLISH_RECORDS: Final = 1_000
PUBLISHERS: Final = 4
PARTITIONS: Final = 8
PARTNERS: Final = 1_000
VALUE_BYTES: Final = 400
BATCH_RECORDS_MAX: Final = 2_000
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
_TIME_MS: Final = 1_488_326_400_000


@dataclass(slots=True)
class _Measured:
    """What one path took for how many records."""

    records: int
    seconds: float
    cpu_s: float
    latencies_ms: list[float] = field(default_factory=list)


def _row(bus: str, into: _Measured, out: _Measured, raw_into: _Measured, raw_out: _Measured) -> BenchRow:
    """The two ways as one: what a record takes in plus what it takes out."""
    per_second = 1 / (into.seconds / into.records + out.seconds / out.records)
    raw_per_second = 1 / (raw_into.seconds / raw_into.records + raw_out.seconds / raw_out.records)
    publishes_ms = sorted(into.latencies_ms)
    return BenchRow(
        name="bus",
        bus=bus,
        per_second=per_second,
        raw_per_second=raw_per_second,
        ratio=per_second / raw_per_second,
        p50_ms=publishes_ms[len(publishes_ms) // 2],
        p99_ms=publishes_ms[len(publishes_ms) * 99 // 100],
        cpu_ms_per_1000=(into.cpu_s / into.records + out.cpu_s / out.records) * 1_000_000,
    )


async def run(*, kafka: str | None, postgres: str, records: int = RECORDS) -> list[BenchRow]:
    """The row of one bus: the log in `postgres`, or Kafka where it is named. Leaves a topic of its own behind."""
    topic = Topic(f"goodword.bench-{uuid.uuid4().hex[:8]}", "partner", (), ())
    bus = open_bus(kafka=kafka, postgres=postgres, client="bench")
    await bus.start()
    try:
        await bus.ensure_topics([topic], PARTITIONS)
        publishes = _publishes(records)
        raw_in = await (_raw_kafka_in(kafka, bus, publishes) if kafka else _raw_postgres_in(postgres, publishes))
        ours_in = await _publish(bus, topic.name, publishes)
        raw_out = await (_raw_kafka_out(kafka, topic.name, records) if kafka else _raw_postgres_out(postgres, records))
        ours_out = await _consume(bus, topic.name, records)
    finally:
        await bus.close()
    return [_row(bus.name, ours_in, ours_out, raw_in, raw_out)]


def _publishes(records: int) -> list[list[Record]]:
    value = b'{"programme":"crm-sales"' + b" " * (VALUE_BYTES - 25) + b"}"
    made = [
        Record(
            b"partner-%d" % (number % PARTNERS),
            value,
            event_headers(
                type="deal.won", source="crm/bench", id=f"opp-{number}-won", time_ms=_TIME_MS, recorded_at_ms=_TIME_MS
            ),
        )
        for number in range(records)
    ]
    return [made[first : first + PUBLISH_RECORDS] for first in range(0, records, PUBLISH_RECORDS)]


async def _publish(bus: Bus, topic: str, publishes: list[list[Record]]) -> _Measured:
    async def publish(records: list[Record]) -> None:
        await bus.publish(topic, records)

    # The first publish connects; the others are measured.
    await publish(publishes[0])
    return await _side_by_side(publishes[1:], publish)


async def _side_by_side(publishes: list[list[Record]], publish: Callable[[list[Record]], Awaitable[None]]) -> _Measured:
    latencies_ms: list[float] = []
    left = iter(publishes)

    async def work() -> None:
        for records in left:
            began = time.perf_counter()
            await publish(records)
            latencies_ms.append((time.perf_counter() - began) * 1000)

    began, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(PUBLISHERS)))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return _Measured(sum(len(records) for records in publishes), seconds, cpu_s, latencies_ms)


class _Reader:
    """Counts and commits."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.latencies_ms: list[float] = []
        self.began = asyncio.Event()
        self.done = asyncio.Event()

    async def assigned(self, topic: str, partition: int) -> int | None:
        return None

    async def handle(self, batch: Batch) -> None:
        began = time.perf_counter()
        await batch.commit()
        self.latencies_ms.append((time.perf_counter() - began) * 1000)
        self.count += len(batch.records)
        self.began.set()
        if self.count >= self.wanted:
            self.done.set()

    async def revoked(self, topic: str, partition: int) -> None:
        pass


async def _consume(bus: Bus, topic: str, records: int) -> _Measured:
    reader = _Reader(records)
    subscription = await bus.subscribe(
        topic, topic, reader, batch_records_max=BATCH_RECORDS_MAX, batch_bytes_max=BATCH_BYTES_MAX
    )
    # Joining a group takes its time; the clock starts with the first records.
    await reader.began.wait()
    first = reader.count
    began, cpu_began = time.perf_counter(), time.process_time()
    await reader.done.wait()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    await subscription.close()
    return _Measured(reader.count - first, seconds, cpu_s, reader.latencies_ms)


async def _raw_postgres_in(postgres: str, publishes: list[list[Record]]) -> _Measured:
    blobs = [
        [(partition, frames.encode(part)) for partition, part in by_partition("raw", records, PARTITIONS).items()]
        for records in publishes
    ]
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("DROP TABLE IF EXISTS bench_raw_blobs")
        await connection.execute(
            "CREATE TABLE bench_raw_blobs"
            " (no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partition int, body bytea)"
        )
        await connection.execute("ALTER TABLE bench_raw_blobs ALTER COLUMN body SET STORAGE EXTERNAL")
        began, cpu_began = time.perf_counter(), time.process_time()
        for first in range(0, len(blobs), PUBLISHERS):
            together = [blob for one in blobs[first : first + PUBLISHERS] for blob in one]
            await connection.execute(
                "INSERT INTO bench_raw_blobs (partition, body) SELECT * FROM unnest(%b::int[], %b::bytea[])",
                ([partition for partition, _ in together], [body for _, body in together]),
            )
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    return _Measured(sum(len(records) for records in publishes), seconds, cpu_s)


async def _raw_postgres_out(postgres: str, records: int) -> _Measured:
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        cursor = await connection.execute("SELECT max(no) FROM bench_raw_blobs")
        row = await cursor.fetchone()
        last = int(row[0]) if row else 0
        began, cpu_began = time.perf_counter(), time.process_time()
        for first in range(0, last, 8):
            cursor = await connection.execute(
                "SELECT no, body FROM bench_raw_blobs WHERE no > %b AND no <= %b ORDER BY no",
                (first, first + 8),
                binary=True,
            )
            await cursor.fetchall()
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        await connection.execute("DROP TABLE bench_raw_blobs")
    return _Measured(records, seconds, cpu_s)


async def _raw_kafka_in(kafka: str, bus: Bus, publishes: list[list[Record]]) -> _Measured:
    topic = Topic(f"goodword.bench-raw-{uuid.uuid4().hex[:8]}", "partner", (), ())
    await bus.ensure_topics([topic], PARTITIONS)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, max_batch_size=256 * 1024, linger_ms=0
    )
    await producer.start()
    ready = [
        [
            (partition, [(one.key, one.value, list(one.headers)) for one in part])
            for partition, part in by_partition("raw", records, PARTITIONS).items()
        ]
        for records in publishes
    ]
    in_flight: deque[list[Awaitable[Any]]] = deque()
    try:
        began, cpu_began = time.perf_counter(), time.process_time()
        # Handed over by one task: waiters for a partition's slot starve each other in aiokafka.
        for parts in ready:
            confirmations: list[Awaitable[Any]] = []
            for partition, part in parts:
                batch = producer.create_batch()
                for key, value, headers in part:
                    batch.append(key=key, value=value, timestamp=None, headers=headers)
                confirmations.append(await producer.send_batch(batch, topic.name, partition=partition))
            in_flight.append(confirmations)
            if len(in_flight) == PUBLISHERS:
                await asyncio.gather(*in_flight.popleft())
        for confirmations in in_flight:
            await asyncio.gather(*confirmations)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    finally:
        await producer.stop()
    return _Measured(sum(len(records) for records in publishes), seconds, cpu_s)


async def _raw_kafka_out(kafka: str, topic: str, records: int) -> _Measured:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=BATCH_BYTES_MAX,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        count = 0
        began, cpu_began = time.perf_counter(), time.process_time()
        while count < records:
            found = await consumer.getmany(timeout_ms=1_000, max_records=BATCH_RECORDS_MAX * PARTITIONS)
            count += sum(len(part) for part in found.values())
        return _Measured(count, time.perf_counter() - began, time.process_time() - cpu_began)
    finally:
        await consumer.stop()
