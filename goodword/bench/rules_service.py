"""The row `rules-service`: events a second through the whole rules service, from bus to bus, states and offsets stored.

One process, 8 partitions, 10 rewards and 6 metrics over a mixed stream of 1,000 partners: read, decode, decide, publish
durably, write states and offset atomically, commit. The log is filled before the clock starts. The raw path reads the
same records and publishes the same bytes to another topic, in the same batches, with no work in between. p50 and p99
are of a batch. Both run in this process, which does nothing else meanwhile. `rules-shadow` follows (`rules_shadow`).
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import Final

from contracts.events import Event, EventData, RulesetActivated, encode_data, event_headers
from contracts.topics import REFERRALS, TOPICS, Topic
from goodword.bench import rules_shadow
from goodword.bench.report import BenchRow
from goodword.bench.rules import PROGRAMME, make_events, rule_set
from runtime.bus.consumer import Consumer
from runtime.bus.dead_letters import DeadLetters
from runtime.bus.open import open_bus
from runtime.bus.port import Batch, Bus, Owner, Record
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.metrics import Metrics
from services.rules.handlers import RulesOwner
from services.rules.language import digest_of
from services.rules.observe import RulesObserver
from services.rules.store import StateStore

EVENTS: Final = 200_000
REWARDS: Final = 10
PARTITIONS: Final = 8
BATCH_RECORDS: Final = 2_000
BATCH_BYTES: Final = 8 * 1024 * 1024
SECONDS_MAX: Final = 600.0
_RAW: Final = Topic("goodword.bench-raw", "partner", (), ())
_START_MS: Final = 1_735_689_600_000


async def run(*, kafka: str | None, postgres: str, redis: str, events: int = EVENTS) -> list[BenchRow]:
    """The rows for one bus: Kafka when it is named, else the log in PostgreSQL. The store must be empty."""
    bus = open_bus(kafka=kafka, postgres=postgres, client="bench")
    store = StateStore(redis)
    database = Database(postgres, application="bench", connections_max=2)
    await bus.start()
    try:
        await store.start()
        await database.start()
        await bus.ensure_topics((*TOPICS, _RAW), PARTITIONS)
        starts = await bus.end_offsets(REFERRALS.name)
        for partition, start in starts.items():
            await store.save(partition, await store.position(partition), start, {})
        text = rule_set(REWARDS)
        shadow = await rules_shadow.begin(bus, store, postgres, text)
        await _fill(bus, text, make_events(events), len(starts))
        ends = await bus.end_offsets(REFERRALS.name)
        raw_seconds, _, _ = await _timed(bus, _RawOwner(bus, starts), "bench-raw", ends)
        owner = RulesOwner(
            bus=bus,
            store=store,
            dead_letters=DeadLetters(bus),
            observer=RulesObserver(Metrics("rules"), rule_labels_max=500),
            clock=SystemClock(),
            cache_bytes_max=64 * 1024 * 1024,
        )
        seconds, cpu_s, batches_ms = await _timed(bus, owner, "bench-rules", ends)
        for partition, end in ends.items():
            position = await store.stored(partition)
            if position is None or position.offset != end:
                raise RuntimeError(f"partition {partition} stands at {position}, not at {end}")
        follower = rules_shadow.owner_of(bus, shadow, text, database, store)
        shadow_seconds, shadow_cpu_s, shadow_ms = await _timed(
            bus, follower, "bench-shadow", ends, rules_shadow.BATCH_RECORDS
        )
    finally:
        await database.stop()
        await store.stop()
        await bus.close()
    batches_ms.sort()
    return [
        BenchRow(
            name="rules-service",
            bus=bus.name,
            per_second=events / seconds,
            raw_per_second=events / raw_seconds,
            ratio=raw_seconds / seconds,
            p50_ms=batches_ms[len(batches_ms) // 2],
            p99_ms=batches_ms[len(batches_ms) * 99 // 100],
            cpu_ms_per_1000=cpu_s / events * 1e6,
        ),
        rules_shadow.row_of(bus, events, (seconds, cpu_s), (shadow_seconds, shadow_cpu_s), shadow_ms),
    ]


async def _fill(bus: Bus, text: str, events: Sequence[Event], partitions: int) -> None:
    activated = RulesetActivated(revision=1, digest=digest_of(text), effective_from_ms=0, source_text=text)
    data = encode_data(EventData(programme=PROGRAMME, ruleset=activated))
    headers = event_headers(
        type="ruleset.activated", source="goodword/rules", id="r-1", time_ms=_START_MS, recorded_at_ms=_START_MS
    )
    await bus.publish(
        REFERRALS.name, [Record(PROGRAMME.encode(), data, headers, partition) for partition in range(partitions)]
    )
    for start in range(0, len(events), 5_000):
        await bus.publish(REFERRALS.name, [_record(event) for event in events[start : start + 5_000]])


def _record(event: Event) -> Record:
    headers = event_headers(
        type=event.type,
        source=event.source,
        id=event.id,
        time_ms=event.time_ms,
        recorded_at_ms=event.time_ms,
        traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    )
    return Record((event.data.partner or "").encode(), encode_data(event.data), headers)


async def _timed(
    bus: Bus, owner: Owner, group: str, ends: dict[int, int], batch_records: int = BATCH_RECORDS
) -> tuple[float, float, list[float]]:
    """Run a consumer to the end of the log: seconds from its first batch on, CPU seconds, milliseconds of batches."""
    batches_ms: list[float] = []
    done = asyncio.Event()
    left = {partition for partition, end in ends.items() if end}
    began: list[tuple[float, float]] = []

    class Timed:
        async def assigned(self, topic: str, partition: int) -> int | None:
            return await owner.assigned(topic, partition)

        async def handle(self, batch: Batch) -> None:
            if not began:
                began.append((time.perf_counter(), time.process_time()))
            await owner.handle(batch)

        async def revoked(self, topic: str, partition: int) -> None:
            await owner.revoked(topic, partition)

    def handled(batch: Batch, seconds: float) -> None:
        batches_ms.append(seconds * 1000)
        if batch.next_offset >= ends[batch.partition]:
            left.discard(batch.partition)
            if not left:
                done.set()

    consumer = Consumer(
        bus,
        REFERRALS.name,
        group,
        Timed(),
        batch_records_max=batch_records,
        batch_bytes_max=BATCH_BYTES,
        on_batch=handled,
    )
    gc.collect()
    gc.freeze()
    gc.disable()  # As the service does under load: see services.rules.observe.
    try:
        await consumer.start()
        waiting = asyncio.ensure_future(consumer.wait())
        finished = asyncio.ensure_future(done.wait())
        await asyncio.wait({waiting, finished}, timeout=SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        seconds, cpu_s = time.perf_counter() - began[0][0], time.process_time() - began[0][1]
        if not finished.done():
            raise RuntimeError(f"{group} did not come to the end of the log")
    finally:
        await consumer.stop()
        gc.enable()
        gc.unfreeze()
    await waiting
    return seconds, cpu_s, batches_ms


class _RawOwner:
    """Publishes what it reads."""

    def __init__(self, bus: Bus, starts: dict[int, int]) -> None:
        self._bus = bus
        self._starts = starts

    async def assigned(self, topic: str, partition: int) -> int:
        return self._starts.get(partition, 0)

    async def handle(self, batch: Batch) -> None:
        await self._bus.publish(_RAW.name, [Record(each.key, each.value, each.headers) for each in batch.records])
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        return
