"""Looks after the log in PostgreSQL: compaction, and retention where it is asked for; one process at a time.

Every service has a keeper; the one that holds the advisory lock does the work, and when its connection ends another
takes over at its next round. Nothing goes that a consumer group has still to handle, nothing at all of a topic that
states are rebuilt from, and dead letters stay until somebody has looked at them.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from contracts.topics import TOPICS, Topic
from runtime import log
from runtime.bus.port import BusUnavailable
from runtime.bus.postgres import maintenance
from runtime.bus.postgres.link import Link
from runtime.bus.retention import Retention
from runtime.clock import Clock
from runtime.database import Connection
from runtime.ending import ended

KEEPER_LOCK: Final = 0x476F6F6462757302
"""One keeper at a time ("Goodbus", 2)."""
FIRST_ROUND_S_MAX: Final = 60.0
"""After the start there is more urgent work."""
DAY_MS: Final = 24 * 3_600_000

logger = log.get(__name__)


class LogKeeper:
    """See the module. Runs beside the bus from `start` to `close`; an outage skips a round."""

    def __init__(self, url: str, application: str, retention: Retention, clock: Clock) -> None:
        self._link = Link(url, f"{application}-keeper")
        self._retention = retention
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Called again it does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="log-keeper")

    async def close(self) -> None:
        if self._task is not None:
            await ended(self._task)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._link.close()

    async def _run(self) -> None:
        await asyncio.sleep(min(self._retention.every_s, FIRST_ROUND_S_MAX))
        while True:
            try:
                async with self._link.use() as connection:
                    if await _is_ours(connection):
                        for topic in TOPICS:
                            await self._look_after(connection, topic)
            except BusUnavailable as error:
                logger.warning("log not looked after", reason=str(error))
            await asyncio.sleep(self._retention.every_s)

    async def _look_after(self, connection: Connection, topic: Topic) -> None:
        cursor = await connection.execute(
            "SELECT topic_id, partition_count FROM bus.topics WHERE name = %s", (topic.name,)
        )
        row = await cursor.fetchone()
        if row is None or topic.is_rebuilt_from:
            return
        if topic.is_compacted:
            records = await maintenance.compact(connection, row[0], row[1])
            if records:
                logger.info("log compacted", topic=topic.name, records_dropped=records)
            return
        days = self._retention.days_max
        blobs = await maintenance.trim(
            connection,
            row[0],
            older_than_ms=None if days is None else self._clock.now_ms() - round(days * DAY_MS),
            bytes_max=self._retention.partition_bytes_max,
        )
        if blobs:
            logger.info("log trimmed", topic=topic.name, blobs_dropped=blobs)


async def _is_ours(connection: Connection) -> bool:
    """Whether this connection has the lock, from now on or since an earlier round; it ends with the connection."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (KEEPER_LOCK,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
