"""The writing side on Kafka: an aiokafka producer with batches built per partition.

Not FastStream's `publish_batch`: it makes one batch for one partition, a random one unless given, whatever the keys,
and drops each message's own headers. Not `send` per record either: half the throughput for four times the CPU.

Durable means `acks=all`. The producer is idempotent, so its own retries do not double records. A producer that failed
once does not know its sequence numbers any more: it is retired and a new one is made.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime import log
from runtime.bus.kafka.stopping import stopping
from runtime.bus.port import BusUnavailable, Record
from runtime.bus.waiting_room import Waiting, WaitingRoom
from runtime.ending import ended

BATCH_BYTES_MAX: Final = 256 * 1024
REQUEST_BYTES_MAX: Final = 1_048_576
GROUPS_IN_FLIGHT_MAX: Final = 4
"""While one group waits for the broker, the next is built; more would only hold memory."""
RECONNECT_WAIT_S_MAX: Final = 0.5

Found = tuple[str, dict[int, list[Record]]]
"""A topic and its records by partition."""

logger = log.get(__name__)


class KafkaPublisher:
    """See the module."""

    def __init__(self, servers: str, client: str, security: Mapping[str, Any], *, wait_s_max: float) -> None:
        self._servers = servers
        self._client = client
        self._security = security
        self._wait_ms_max = int(wait_s_max * 1000)
        self._room: WaitingRoom[Found] = WaitingRoom(wait_s_max=wait_s_max)
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(GROUPS_IN_FLIGHT_MAX)

    def start(self) -> None:
        """Called again it does nothing: a service tries its start again while the log is away."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="bus-publisher")

    async def publish(self, topic: str, found: dict[int, list[Record]], size: int) -> None:
        if self._task is None:
            raise BusUnavailable("the bus is not started")
        await self._room.submit((topic, found), size)

    async def close(self) -> None:
        """Write what waits (those who wait give up by themselves in an outage), then stop."""
        self._room.close()
        if self._task is not None:
            await self._room.wait_empty()
            # The last group may be on its way from the room to the producer: a slot says when it has arrived.
            for _ in range(GROUPS_IN_FLIGHT_MAX):
                await self._slots.acquire()
            await ended(self._task)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._retire()
        await asyncio.gather(*self._in_flight, return_exceptions=True)

    async def _run(self) -> None:
        wait_s = 0.05
        while True:
            await self._room.wait_filled()
            try:
                producer = await self._connected()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("bus unavailable", reason=str(error) or type(error).__name__, where="publish")
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_WAIT_S_MAX)
                continue
            wait_s = 0.05
            await self._slots.acquire()
            # The group is taken only now: during an outage its members stay where they can give up.
            group = self._room.take()
            if not group:
                self._slots.release()
                continue
            confirmations = await self._hand_over(producer, group)
            self._keep(asyncio.create_task(self._confirm(producer, group, confirmations)))

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id=self._client,
            # Its own default is 1 unless idempotence is on: a record confirmed by one broker dies with it.
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            linger_ms=0,
            # lz4 halves the throughput here.
            compression_type=None,
            # This is also how long a batch may wait, so a publish's outage is told in time.
            request_timeout_ms=self._wait_ms_max,
            retry_backoff_ms=50,
            metadata_max_age_ms=60_000,
            connections_max_idle_ms=540_000,
            transactional_id=None,
            **self._security,
        )
        try:
            async with asyncio.timeout(self._wait_ms_max / 1000):
                await producer.start()
        except BaseException:
            self._stop(producer)
            raise
        self._producer = producer
        return producer

    async def _hand_over(
        self, producer: AIOKafkaProducer, group: list[Waiting[Found]]
    ) -> list[Awaitable[object] | BaseException]:
        """Give all batches to the producer, in order within each partition; returns what to wait for."""
        places: dict[tuple[str, int], list[Record]] = {}
        for waiting in group:
            topic, found = waiting.payload
            for partition, records in found.items():
                place = (topic, partition)
                if place in places:
                    places[place] = places[place] + records
                else:
                    places[place] = records
        handed = await asyncio.gather(
            *(_hand_over_partition(producer, *place, records) for place, records in places.items()),
            return_exceptions=True,
        )
        confirmations: list[Awaitable[object] | BaseException] = []
        for one in handed:
            if isinstance(one, BaseException):
                confirmations.append(one)
            else:
                confirmations.extend(one)
        return confirmations

    async def _confirm(
        self,
        producer: AIOKafkaProducer,
        group: list[Waiting[Found]],
        confirmations: list[Awaitable[object] | BaseException],
    ) -> None:
        outcomes = await asyncio.gather(
            *(one for one in confirmations if not isinstance(one, BaseException)), return_exceptions=True
        )
        self._slots.release()
        failures = [one for one in (*confirmations, *outcomes) if isinstance(one, BaseException)]
        if not failures:
            for waiting in group:
                waiting.succeed()
            return
        if self._producer is producer:
            self._retire()
        for waiting in group:
            waiting.fail(BusUnavailable(f"Kafka did not confirm: {failures[0] or type(failures[0]).__name__}"))

    def _retire(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self._stop(producer)

    def _stop(self, producer: AIOKafkaProducer) -> None:
        # It first waits for its batches, which expire by themselves.
        self._keep(stopping(producer.stop))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)


async def _hand_over_partition(
    producer: AIOKafkaProducer, topic: str, partition: int, records: list[Record]
) -> list[Awaitable[object]]:
    confirmations: list[Awaitable[object]] = []
    batch = producer.create_batch()
    for record in records:
        headers = list(record.headers)
        if batch.append(key=record.key, value=record.value, timestamp=None, headers=headers) is None:
            confirmations.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            # A batch takes at least one record, however large.
            batch.append(key=record.key, value=record.value, timestamp=None, headers=headers)
    batch.close()
    confirmations.append(await producer.send_batch(batch, topic, partition=partition))
    return confirmations
