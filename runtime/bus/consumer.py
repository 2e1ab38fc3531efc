"""A consumer as services use it: a subscription whose handler is retried, then stops loudly.

What a handler raises decides: an outage, or anything nobody thought of, is retried with bounded back-off, the same
batch again, and stops the consumer in the end; a mistake or a broken invariant that it let pass stops it at once.
Records that cannot be helped are the handler's to put aside (`DeadLetters.reject`); no outage ever fills that queue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from contracts.errors import InvariantBroken, PermanentError
from runtime import log
from runtime.bus.dead_letters import DlqLimitReached
from runtime.bus.lag import Lag, Position, measure
from runtime.bus.port import Batch, Bus, Owner, PartitionLost, Subscription
from runtime.clock import Clock, SystemClock

RETRY_WAIT_MS_MIN: Final = 50
SYSTEM_CLOCK: Final = SystemClock()

T = TypeVar("T")

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Retry:
    """How an outage is ridden out: waits double from 50 ms up to `wait_ms_max`, `retries_max` times."""

    wait_ms_max: int = 5_000
    retries_max: int = 20


class Consumer:
    """One subscription with retries; a component (`start`, `wait`, `stop`) of `runtime.service`.

    Args:
        bus: Started by its owner, before this.
        topic, group: What to read, and as whom.
        owner: Where partitions start, what is done with batches, and how a partition is let go.
        retry: For `owner.assigned`, `owner.handle` and the first subscribing.
        batch_records_max, batch_bytes_max: Limits of a batch.
        linger_ms: How long a record may wait for more, for those who are in no hurry.
        clock: For the lag.
        on_retry: Told the error of every attempt that is tried again; for metrics.
        on_batch: Told every batch that was handled and the seconds it took; for metrics.
    """

    def __init__(
        self,
        bus: Bus,
        topic: str,
        group: str,
        owner: Owner,
        *,
        retry: Retry = Retry(),
        batch_records_max: int = 2_000,
        batch_bytes_max: int = 8 * 1024 * 1024,
        linger_ms: int = 0,
        clock: Clock = SYSTEM_CLOCK,
        on_retry: Callable[[Exception], None] = lambda error: None,
        on_batch: Callable[[Batch, float], None] = lambda batch, seconds: None,
    ) -> None:
        self.name = f"consumer of {topic} as {group}"
        self.topic = topic
        self.group = group
        self._bus = bus
        self._owner = owner
        self._retry = retry
        self._records_max = batch_records_max
        self._bytes_max = batch_bytes_max
        self._linger_ms = linger_ms
        self._clock = clock
        self._on_retry = on_retry
        self._on_batch = on_batch
        self._subscription: Subscription | None = None
        self._stopping = asyncio.Event()
        self._handled: dict[int, Position] = {}

    async def start(self) -> None:
        """Subscribe. Raises what stood in the way to the last, BusUnavailable for a topic that does not come."""

        async def subscribe() -> Subscription:
            return await self._bus.subscribe(
                self.topic,
                self.group,
                self,
                batch_records_max=self._records_max,
                batch_bytes_max=self._bytes_max,
                linger_ms=self._linger_ms,
            )

        self._subscription = await self._retried("subscribe", subscribe)

    async def wait(self) -> None:
        """Return when stopped; raise what stopped it else."""
        assert self._subscription is not None, "start first"
        await self._subscription.wait()

    async def stop(self) -> None:
        """Finish the batch in hand and let go. A batch that is waiting for its next try is let go undone."""
        self._stopping.set()
        if self._subscription is not None:
            await self._subscription.close()

    def assignment(self) -> frozenset[int]:
        return frozenset() if self._subscription is None else self._subscription.assignment()

    async def lag(self) -> Lag:
        """Of the partitions held now. Raises BusUnavailable."""
        held = self.assignment()
        committed = {} if held <= self._handled.keys() else await self._bus.committed(self.topic, self.group)
        positions = {
            partition: self._handled.get(partition) or Position(committed.get(partition, 0)) for partition in held
        }
        return await measure(self._bus, self.topic, positions, now_ms=self._clock.now_ms())

    async def assigned(self, topic: str, partition: int) -> int | None:
        start = await self._retried(f"assign {partition}", lambda: self._owner.assigned(topic, partition))
        if start is not None:
            self._handled[partition] = Position(start)
        return start

    async def handle(self, batch: Batch) -> None:
        began = asyncio.get_running_loop().time()
        await self._retried(f"handle {batch.partition}", lambda: self._owner.handle(batch))
        self._handled[batch.partition] = Position(batch.next_offset, batch.records[-1].recorded_at_ms)
        self._on_batch(batch, asyncio.get_running_loop().time() - began)

    async def revoked(self, topic: str, partition: int) -> None:
        self._handled.pop(partition, None)
        await self._owner.revoked(topic, partition)

    async def _retried(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        wait_ms = RETRY_WAIT_MS_MIN
        for retries in range(self._retry.retries_max + 1):
            try:
                return await attempt()
            except (PartitionLost, PermanentError, InvariantBroken, DlqLimitReached):
                raise
            except Exception as error:
                if retries == self._retry.retries_max:
                    logger.exception("gave up", topic=self.topic, what=what, retries=retries, reason=str(error))
                    raise
                logger.warning(
                    "trying again", topic=self.topic, what=what, retries=retries, wait_ms=wait_ms, reason=str(error)
                )
                self._on_retry(error)
                await self._pause(wait_ms, error)
                wait_ms = min(wait_ms * 2, self._retry.wait_ms_max)
        raise AssertionError("the last attempt returns or raises")

    async def _pause(self, wait_ms: int, error: Exception) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), wait_ms / 1000)
        if self._stopping.is_set():
            raise PartitionLost("stopping while something is away; nothing was committed") from error
