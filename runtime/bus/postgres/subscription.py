"""A member of a consumer group on the PostgreSQL log: takes its share of the partitions, reads, hands over.

One task per partition reads and hands over, one batch at a time; the keeper takes and gives back partitions. When the
server goes away, every partition is given up (after the batch in hand) and taken again when it is back. Between the
server's coming back and a slow batch's end, another member may have the partition already: its effects are fenced
by the handler's own store, its commit by the session.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from runtime import log
from runtime.bus.batches import cut
from runtime.bus.port import Batch, Owner, PartitionLost
from runtime.bus.postgres.link import reason
from runtime.bus.postgres.listener import Listener
from runtime.bus.postgres.session import Session
from runtime.database import OUTAGES

LOOK_S_MAX: Final = 1.0
"""A member that died is noticed within this; joins, leaves and new records are told at once."""
RECONNECT_WAIT_S_MAX: Final = 1.0

logger = log.get(__name__)


@dataclass(slots=True, eq=False)
class _Worker:
    """One partition in our hands. `wake` is set for new records and for stopping alike."""

    partition: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False
    is_assigned: bool = False
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What a subscription reads, with the server's numbers."""

    url: str
    application: str
    topic: str
    topic_id: int
    partition_count: int
    group_id: int


class PostgresSubscription:
    """See the module; `runtime.bus.port.Subscription`."""

    def __init__(
        self,
        place: Place,
        listener: Listener,
        owner: Owner,
        *,
        batch_records_max: int,
        batch_bytes_max: int,
        linger_ms: int,
    ) -> None:
        self._place = place
        self._listener = listener
        self._owner = owner
        self._records_max = batch_records_max
        self._bytes_max = batch_bytes_max
        self._linger_s = linger_ms / 1000
        self._workers: dict[int, _Worker] = {}
        self._wake = asyncio.Event()
        self._is_closing = False
        self._failure: BaseException | None = None
        self._keeper = asyncio.create_task(self._keep(), name=f"bus-subscription-{place.topic}")

    async def wait(self) -> None:
        await asyncio.shield(self._keeper)
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        self._is_closing = True
        self._wake.set()
        await asyncio.shield(self._keeper)

    def assignment(self) -> frozenset[int]:
        return frozenset(worker.partition for worker in self._workers.values() if worker.is_assigned)

    @property
    def _is_ending(self) -> bool:
        return self._is_closing or self._failure is not None

    async def _keep(self) -> None:
        told = f"g{self._place.group_id}"
        self._listener.watch(told, self._wake)
        wait_s = 0.01
        try:
            while not self._is_ending:
                try:
                    session = await Session.open(
                        self._place.url, self._place.application, self._place.group_id, self._place.topic_id
                    )
                except OUTAGES as error:
                    logger.warning("bus unavailable", reason=reason(error), where=self._place.topic)
                    await self._pause(wait_s)
                    wait_s = min(wait_s * 2, RECONNECT_WAIT_S_MAX)
                    continue
                wait_s = 0.01
                try:
                    await self._keep_share(session)
                except OUTAGES as error:
                    logger.warning("partitions lost", reason=reason(error), where=self._place.topic)
                finally:
                    session_ended = session.broken.is_set()
                    await self._give_up(session, list(self._workers.values()))
                    await session.close()
                if session_ended:
                    await self._pause(wait_s)
        except Exception as error:  # noqa: BLE001 - told by wait()
            self._fail(error)
        finally:
            self._listener.forget(told, self._wake)

    async def _keep_share(self, session: Session) -> None:
        """Take and give back until the subscription ends or the session breaks. Raises one of OUTAGES."""
        await session.tell_joined()
        while not self._is_ending and not session.broken.is_set():
            self._wake.clear()
            sharing = await session.look()
            share = sharing.share(self._place.partition_count)
            surplus = sorted(self._workers)[share:]
            if surplus:
                await self._give_up(session, [self._workers[partition] for partition in surplus])
            for partition in sharing.wanted(self._place.partition_count):
                if len(self._workers) >= share:
                    break
                if await session.try_take(partition):
                    self._start(session, partition)
            await self._pause(LOOK_S_MAX)

    async def _pause(self, seconds: float) -> None:
        if not self._is_ending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), seconds)

    def _start(self, session: Session, partition: int) -> None:
        worker = _Worker(partition)
        self._workers[partition] = worker
        worker.task = asyncio.create_task(self._work(session, worker), name=f"bus-{self._place.topic}-{partition}")

    async def _give_up(self, session: Session, workers: list[_Worker]) -> None:
        """Let the batches in hand end, say so to the owner, then free the locks."""
        for worker in workers:
            worker.is_stopping = True
            worker.wake.set()
        await asyncio.gather(*(self._give_up_one(session, worker) for worker in workers))

    async def _give_up_one(self, session: Session, worker: _Worker) -> None:
        assert worker.task is not None
        await worker.task
        if worker.is_assigned:
            worker.is_assigned = False
            try:
                await self._owner.revoked(self._place.topic, worker.partition)
            except Exception as error:  # noqa: BLE001 - told by wait()
                self._fail(error)
        del self._workers[worker.partition]
        await session.give_back(worker.partition)

    async def _work(self, session: Session, worker: _Worker) -> None:
        """Read and hand over one partition until told to stop. Ends quietly; failures go to `_fail`."""
        watched = f"{self._place.topic_id}:{worker.partition}"
        self._listener.watch(watched, worker.wake)
        try:
            start = await self._owner.assigned(self._place.topic, worker.partition)
            worker.is_assigned = True
            position = await session.committed(worker.partition)
            if start is not None and start != position:
                # A crash after the owner stored its place and before it committed: those who watch lag must see it.
                await session.commit(worker.partition, start)
                position = start
            while not worker.is_stopping and not session.broken.is_set():
                worker.wake.clear()
                position, is_all = await self._hand_over(session, worker, position)
                if is_all and not worker.is_stopping:
                    # Whatever came since the look has set `wake`; looking again without it would find nothing.
                    await self._wait_for_more(worker)
        except PartitionLost as error:
            logger.warning("partition lost", reason=str(error), topic=self._place.topic, partition=worker.partition)
            self._break(session)
        except Exception as error:  # noqa: BLE001 - told by wait()
            self._fail(error)
        finally:
            self._listener.forget(watched, worker.wake)

    async def _wait_for_more(self, worker: _Worker) -> None:
        try:
            async with asyncio.timeout(LOOK_S_MAX):
                await worker.wake.wait()
        except TimeoutError:
            return
        if self._linger_s and not worker.is_stopping:
            await asyncio.sleep(self._linger_s)

    async def _hand_over(self, session: Session, worker: _Worker, position: int) -> tuple[int, bool]:
        """One look and its batches. Returns the new position, and whether nothing was left behind it."""
        partition = worker.partition
        try:
            records, position_after, size, is_all = await session.fetch(
                partition, position, self._records_max, self._bytes_max
            )
        except OUTAGES as error:
            raise PartitionLost(f"PostgreSQL: {reason(error)}") from error
        handed = 0
        for part in cut(records, records_max=self._records_max, bytes_max=self._bytes_max, bytes_known=size):
            if worker.is_stopping or session.broken.is_set():
                break
            handed += len(part)
            next_offset = position_after if handed == len(records) else records[handed].offset

            async def commit(next_offset: int = next_offset) -> None:
                await session.commit(partition, next_offset)

            await self._owner.handle(Batch(self._place.topic, partition, part, next_offset, commit))
        return position_after, is_all

    def _break(self, session: Session) -> None:
        session.broken.set()
        self._wake.set()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._wake.set()
