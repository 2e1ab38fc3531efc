"""The writing side of the log: one task, one connection, one transaction for everything that waits.

Publishes are encoded by their callers; the task joins what waits by partition, appends all of it in one
transaction, and wakes the readers after the commit. The wake-up is a transaction of its own on purpose: NOTIFY
inside the append would hold PostgreSQL's one notification lock over the fsync, and so serialise every
publisher of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from psycopg import errors

from runtime import log
from runtime.bus.port import BusUnavailable
from runtime.bus.postgres.link import Link
from runtime.bus.waiting_room import Waiting, WaitingRoom
from runtime.database import OUTAGES, Connection
from runtime.ending import ended

BLOB_BYTES_MAX: Final = 256 * 1024
"""A larger blob is cut, so that a reader with little memory need not take it whole."""
RECONNECT_WAIT_S_MAX: Final = 0.5
APPEND_S_MAX: Final = 30.0

Chunk = tuple[int, int, int, bytes]
"""Topic id, partition, record count, encoded records."""

logger = log.get(__name__)


class Publisher:
    """See the module."""

    def __init__(self, url: str, application: str, *, wait_s_max: float) -> None:
        self._link = Link(url, f"{application}-publish")
        self._room: WaitingRoom[list[Chunk]] = WaitingRoom(wait_s_max=wait_s_max)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Called again it does nothing: a service tries its start again while the log is away."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="bus-publisher")

    async def publish(self, chunks: list[Chunk], size: int) -> None:
        if self._task is None:
            raise BusUnavailable("the bus is not started")
        await self._room.submit(chunks, size)

    async def close(self) -> None:
        """Write what waits (those who wait give up by themselves in an outage), then stop."""
        self._room.close()
        if self._task is not None:
            await self._room.wait_empty()
            await ended(self._task)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._link.close()

    async def _run(self) -> None:
        wait_s = 0.01
        while True:
            await self._room.wait_filled()
            try:
                async with self._link.use() as connection:
                    wait_s = 0.01
                    # The group is taken only now: during an outage its members stay where they can give up.
                    group = self._room.take()
                    if group:
                        await self._write(connection, group)
            except BusUnavailable as error:
                logger.warning("bus unavailable", reason=str(error), where="publish")
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_WAIT_S_MAX)

    async def _write(self, connection: Connection, group: list[Waiting[list[Chunk]]]) -> None:
        entries = _joined(group)
        topic_ids, partitions, counts, bodies = (list(column) for column in zip(*entries, strict=True))
        writing = asyncio.ensure_future(
            connection.execute(
                "SELECT bus.append(%b::int[], %b::int[], %b::int[], %b::bytea[])",
                (topic_ids, partitions, counts, bodies),
            )
        )
        try:
            # Not cancelled when the bus closes: whoever waits for this write is told how it ended.
            await asyncio.wait_for(asyncio.shield(writing), APPEND_S_MAX)
        except asyncio.CancelledError:
            outcome = (await asyncio.gather(writing, return_exceptions=True))[0]
            _tell(group, outcome if isinstance(outcome, BaseException) else None)
            raise
        except (*OUTAGES, TimeoutError, errors.Error) as error:
            _tell(group, error)
            if isinstance(error, TimeoutError):
                await connection.close()
            elif not isinstance(error, OUTAGES):
                return
            raise errors.OperationalError(str(error)) from error
        _tell(group, None)
        touched: dict[int, list[str]] = {}
        for topic_id, partition, _, _ in entries:
            numbers = touched.setdefault(topic_id, [])
            if not numbers or numbers[-1] != str(partition):
                numbers.append(str(partition))
        payloads = [f"{topic_id}:{','.join(numbers)}" for topic_id, numbers in touched.items()]
        await connection.execute("SELECT pg_notify('bus', p) FROM unnest(%s::text[]) AS p", (payloads,))


def _tell(group: list[Waiting[list[Chunk]]], error: BaseException | None) -> None:
    for waiting in group:
        if error is None:
            waiting.succeed()
        else:
            # The connection may have gone after the commit: nobody knows, and the port says so.
            waiting.fail(BusUnavailable(f"PostgreSQL did not confirm the append: {error}"))


def _joined(group: list[Waiting[list[Chunk]]]) -> list[Chunk]:
    """The chunks of all publishes by topic and partition, neighbours joined up to BLOB_BYTES_MAX."""
    by_place: dict[tuple[int, int], list[tuple[int, list[bytes], int]]] = {}
    for waiting in group:
        for topic_id, partition, count, body in waiting.payload:
            blobs = by_place.setdefault((topic_id, partition), [])
            if blobs and blobs[-1][2] + len(body) <= BLOB_BYTES_MAX:
                last_count, parts, size = blobs[-1]
                parts.append(body)
                blobs[-1] = (last_count + count, parts, size + len(body))
            else:
                blobs.append((count, [body], len(body)))
    return [
        (*place, count, parts[0] if len(parts) == 1 else b"".join(parts))
        for place in sorted(by_place)
        for count, parts, _ in by_place[place]
    ]
