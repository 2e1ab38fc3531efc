"""One member's connections: the one that holds its locks and writes its commits, and the one that reads.

A commit goes through the very session that holds the partition's lock. When that session ends, the locks end and
commits fail: a member that was cut off cannot commit what is somebody else's by then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from runtime.bus.commits import Commits
from runtime.bus.port import PartitionLost, Received
from runtime.bus.postgres import frames
from runtime.bus.postgres.link import Connection, connect, reason
from runtime.bus.postgres.sharing import Sharing, give_back, join, look, try_take
from runtime.database import OUTAGES

_COMMIT = """
INSERT INTO bus.offsets (group_id, partition, next_offset)
SELECT %s, partition, next_offset FROM unnest(%s::int[], %s::bigint[]) AS c (partition, next_offset) ORDER BY partition
ON CONFLICT (group_id, partition) DO UPDATE SET next_offset = excluded.next_offset, committed_at = now()
"""


class Fetched(NamedTuple):
    """What one look into a partition found."""

    records: list[Received]
    next_offset: int
    bytes_at_most: int


class Session:
    """A membership in a group. Broken once, it stays broken; `broken` tells."""

    def __init__(self, owner: Connection, reader: Connection, group_id: int, topic_id: int) -> None:
        self._owner = owner
        self._reader = reader
        self._group_id = group_id
        self._topic_id = topic_id
        self._commits = Commits(self._write_commits)
        self.broken = asyncio.Event()

    @classmethod
    async def open(cls, url: str, application: str, group_id: int, topic_id: int) -> Session:
        """Raises one of OUTAGES."""
        owner = await connect(url, f"{application}-own")
        try:
            reader = await connect(url, f"{application}-read")
            await join(owner, group_id)
        except BaseException:
            await owner.close()
            raise
        return cls(owner, reader, group_id, topic_id)

    async def close(self) -> None:
        self.broken.set()
        with contextlib.suppress(*OUTAGES):
            # Others need not wait for their next look.
            if not self._owner.closed:
                await self._tell_group()
            await self._owner.close()
        with contextlib.suppress(*OUTAGES):
            await self._reader.close()

    async def look(self) -> Sharing:
        return await look(self._owner, self._group_id)

    async def try_take(self, partition: int) -> bool:
        return await try_take(self._owner, self._group_id, partition)

    async def give_back(self, partition: int) -> None:
        """Free a partition and tell the others; nothing to do when the locks are gone anyway."""
        if self.broken.is_set():
            return
        try:
            await give_back(self._owner, self._group_id, partition)
            await self._tell_group()
        except OUTAGES:
            self.broken.set()

    async def tell_joined(self) -> None:
        await self._tell_group()

    async def committed(self, partition: int) -> int:
        """The group's offset of a partition, 0 without one. Raises one of OUTAGES."""
        cursor = await self._reader.execute(
            "SELECT next_offset FROM bus.offsets WHERE group_id = %s AND partition = %s", (self._group_id, partition)
        )
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def fetch(self, partition: int, start: int, records_max: int, bytes_max: int) -> Fetched:
        """See `fetch`. Raises one of OUTAGES."""
        return await fetch(
            self._reader, self._topic_id, partition, start=start, records_max=records_max, bytes_max=bytes_max
        )

    async def commit(self, partition: int, next_offset: int) -> None:
        """Durable when it returns; commits of several partitions share one transaction. Raises PartitionLost."""
        if self.broken.is_set():
            raise PartitionLost("the connection that held the partition has ended")
        await self._commits.commit(partition, next_offset)

    async def _write_commits(self, newest: dict[int, int]) -> None:
        try:
            await self._owner.execute(_COMMIT, (self._group_id, list(newest), list(newest.values())))
        except OUTAGES as error:
            self.broken.set()
            raise PartitionLost(f"the connection that held the partition has ended: {reason(error)}") from error

    async def _tell_group(self) -> None:
        await self._owner.execute("SELECT pg_notify('bus', %s)", (f"g{self._group_id}",))


async def fetch(
    connection: Connection, topic_id: int, partition: int, *, start: int, records_max: int, bytes_max: int
) -> Fetched:
    """Records from `start` on and the offset to go on from.

    Whole blobs are read, so up to one blob more than asked for. Raises one of OUTAGES.
    """
    cursor = await connection.execute(
        "SELECT first_offset, next_offset, record_count, recorded_at_ms, offsets, body"
        " FROM bus.fetch(%s::int, %s::int, %s::bigint, %s::int, %s::bigint)",
        (topic_id, partition, start, records_max, bytes_max),
        binary=True,
    )
    records: list[Received] = []
    next_offset = start
    size = 0
    for first_offset, blob_next_offset, count, recorded_at_ms, offsets, body in await cursor.fetchall():
        found: Sequence[Received] = frames.decode(
            body, count=count, first_offset=first_offset, offsets=offsets, recorded_at_ms=recorded_at_ms
        )
        if first_offset < start:
            found = [record for record in found if record.offset >= start]
        records.extend(found)
        next_offset = blob_next_offset
        size += len(body)
    return Fetched(records, next_offset, size)
