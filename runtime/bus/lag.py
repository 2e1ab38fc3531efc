"""How far behind the log a consumer is, in records and in seconds; measured here for every service alike.

A process measures the partitions that it holds; those of others are theirs to measure, so a dashboard takes the maximum
or the sum over processes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from runtime import log
from runtime.bus.port import Bus, BusUnavailable
from runtime.ending import ended
from runtime.metrics import Metrics

LOOK_FROM_MS: Final = 5_000
"""From which bound on its age the oldest waiting record is looked at; below, the bound is good enough, and free."""

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind: records not yet handled, and the age of the oldest of them; 0 when there are none."""

    records: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition is.

    Attributes:
        next_offset: Of the first record not yet handled.
        handled_at_ms: When the log took the last handled record; 0 when none was handled since the start. What
            waits was taken after it, which bounds its age.
    """

    next_offset: int
    handled_at_ms: int = 0


async def measure(bus: Bus, topic: str, positions: Mapping[int, Position], *, now_ms: int) -> Lag:
    """The lag of one process on a topic. Raises BusUnavailable."""
    ends = await bus.end_offsets(topic)
    records, age_ms = 0, 0
    for partition, position in positions.items():
        end = ends.get(partition, 0)
        if end <= position.next_offset:
            continue
        records += end - position.next_offset
        recorded_at_ms: int | None = position.handled_at_ms
        if now_ms - position.handled_at_ms >= LOOK_FROM_MS:
            recorded_at_ms = await _recorded_at_ms(bus, topic, partition, position.next_offset, end)
        if recorded_at_ms is not None:
            age_ms = max(age_ms, now_ms - recorded_at_ms)
    return Lag(records, age_ms / 1000)


async def _recorded_at_ms(bus: Bus, topic: str, partition: int, start: int, end: int) -> int | None:
    """When the log took the first record that is there; None when compaction or retention left none."""
    async with aclosing(bus.read(topic, partition, start=start, end=end, batch_records_max=1)) as scan:  # type: ignore[type-var]
        async for records in scan:
            return records[0].recorded_at_ms
    return None


class Watched(Protocol):
    """A consumer, as `runtime.bus.consumer.Consumer` is."""

    topic: str
    group: str

    async def lag(self) -> Lag: ...


class LagWatch:
    """Renews the gauges of a service's consumers: their lag, and how many dead letters their topics have; a component
    of `runtime.service`.

    `bus` is where the dead letters are. An outage of it skips a round: the readiness check tells of it, and the gauges
    keep their values.
    """

    name = "lag"

    def __init__(self, consumers: Sequence[Watched], *, bus: Bus, metrics: Metrics, every_s: float) -> None:
        self._consumers = consumers
        self._bus = bus
        self._records = metrics.gauge("bus_lag_records")
        self._seconds = metrics.gauge("bus_lag_seconds")
        self._dead_letters = metrics.gauge("dlq_depth_records")
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for consumer in self._consumers:
            self._set(consumer, Lag(0, 0.0))
            self._dead_letters.labels(consumer.topic)
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def wait(self) -> None:
        assert self._task is not None
        await self._task

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            for consumer in self._consumers:
                try:
                    self._set(consumer, await consumer.lag())
                except BusUnavailable as error:
                    logger.warning("lag unknown", topic=consumer.topic, group=consumer.group, reason=str(error))
            for topic in sorted({consumer.topic for consumer in self._consumers}):
                try:
                    # Neither bus drops a dead letter, so the end of the queue is its depth.
                    self._dead_letters.labels(topic).set(sum((await self._bus.end_offsets(f"{topic}.dlq")).values()))
                except BusUnavailable as error:
                    logger.warning("dead letters not counted", topic=topic, reason=str(error))
            await asyncio.sleep(self._every_s)

    def _set(self, consumer: Watched, lag: Lag) -> None:
        self._records.labels(consumer.topic, consumer.group).set(lag.records)
        self._seconds.labels(consumer.topic, consumer.group).set(lag.seconds)
