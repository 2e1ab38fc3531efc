"""One member's connections: the one that holds its locks and writes its commits, and the one that reads.

What several partitions look for or commit at the same moment is one statement. A commit goes through the very session
that holds the partition's lock. When that session ends, the locks end and commits fail: a member that was cut off
cannot commit what is somebody else's by then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from runtime.bus.port import RECORD_BYTES_MAX, PartitionLost, Received
from runtime.bus.postgres import frames
from runtime.bus.postgres.link import connect, reason
from runtime.bus.postgres.publisher import BLOB_BYTES_MAX
from runtime.bus.postgres.sharing import Sharing, give_back, join, look, try_take
from runtime.database import OUTAGES, Connection
from runtime.together import Together

_COMMIT = """
INSERT INTO bus.offsets (group_id, partition, next_offset)
SELECT %s, partition, next_offset FROM unnest(%s::int[], %s::bigint[]) AS c (partition, next_offset) ORDER BY partition
ON CONFLICT (group_id, partition) DO UPDATE SET next_offset = excluded.next_offset, committed_at = now()
"""


_FETCH: Final = """
SELECT w.partition, f.first_offset, f.next_offset, f.record_count, f.recorded_at_ms, f.offsets, f.body
FROM unnest(%s::int[], %s::bigint[]) AS w (partition, start_offset)
CROSS JOIN LATERAL bus.fetch(%s::int, w.partition, w.start_offset, %s::int, %s::bigint) AS f
"""
PARTITIONS_TOGETHER_MAX: Final = 16
"""So many partitions in one look; what each may bring is limited for itself."""


class Fetched(NamedTuple):
    """What one look into a partition found; `is_all` when nothing more was there."""

    records: list[Received]
    next_offset: int
    bytes_at_most: int
    is_all: bool


class _Wanted(NamedTuple):
    """One partition's look."""

    partition: int
    start: int
    records_max: int
    bytes_max: int


_Blob = tuple[int, int, int, int, list[int] | None, bytes]
"""First offset, next offset, record count, when it was recorded in ms, offsets if there are gaps, body."""


class Session:
    """A membership in a group. Broken once, it stays broken; `broken` tells."""

    def __init__(self, owner: Connection, reader: Connection, group_id: int, topic_id: int) -> None:
        self._owner = owner
        self._reader = reader
        self._group_id = group_id
        self._topic_id = topic_id
        self._commits = Together(self._write_commits, name="bus-commits")
        self._looks = Together(self._look_all, name="bus-looks", weight_max=PARTITIONS_TOGETHER_MAX)
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
        wanted = _Wanted(partition, start, records_max, bytes_max)
        return _fetched(await self._looks.call(wanted), wanted)

    async def _look_all(self, wanted: list[_Wanted]) -> list[list[_Blob]]:
        return await _look(self._reader, self._topic_id, wanted)

    async def commit(self, partition: int, next_offset: int) -> None:
        """Durable when it returns; commits of several partitions share one transaction. Raises PartitionLost."""
        if self.broken.is_set():
            raise PartitionLost("the connection that held the partition has ended")
        await self._commits.call((partition, next_offset))

    async def _write_commits(self, commits: list[tuple[int, int]]) -> list[None]:
        newest = dict(commits)
        try:
            await self._owner.execute(_COMMIT, (self._group_id, list(newest), list(newest.values())))
        except OUTAGES as error:
            self.broken.set()
            raise PartitionLost(f"the connection that held the partition has ended: {reason(error)}") from error
        return [None] * len(commits)

    async def _tell_group(self) -> None:
        await self._owner.execute("SELECT pg_notify('bus', %s)", (f"g{self._group_id}",))


async def fetch(
    connection: Connection, topic_id: int, partition: int, *, start: int, records_max: int, bytes_max: int
) -> Fetched:
    """Records from `start` on and the offset to go on from.

    Whole blobs are read, so up to one blob more than asked for. Raises one of OUTAGES.
    """
    wanted = _Wanted(partition, start, records_max, bytes_max)
    return _fetched((await _look(connection, topic_id, [wanted]))[0], wanted)


async def _look(connection: Connection, topic_id: int, wanted: Sequence[_Wanted]) -> list[list[_Blob]]:
    """The blobs of each partition from its start on, in order. Raises one of OUTAGES."""
    cursor = await connection.execute(
        _FETCH,
        (
            [each.partition for each in wanted],
            [each.start for each in wanted],
            topic_id,
            max(each.records_max for each in wanted),
            max(each.bytes_max for each in wanted),
        ),
        binary=True,
    )
    found: dict[int, list[_Blob]] = {each.partition: [] for each in wanted}
    for partition, *blob in await cursor.fetchall():
        found[partition].append(tuple(blob))
    # The order of a join is nowhere promised; the function's own is.
    return [sorted(found[each.partition], key=itemgetter(1)) for each in wanted]


def _fetched(blobs: Sequence[_Blob], wanted: _Wanted) -> Fetched:
    records: list[Received] = []
    next_offset = wanted.start
    size = 0
    for first_offset, blob_next_offset, count, recorded_at_ms, offsets, body in blobs:
        found: Sequence[Received] = frames.decode(
            body, count=count, first_offset=first_offset, offsets=offsets, recorded_at_ms=recorded_at_ms
        )
        if first_offset < wanted.start:
            found = [record for record in found if record.offset >= wanted.start]
        records.extend(found)
        next_offset = blob_next_offset
        size += len(body)
    # A look ends early when there is enough, or when the next blob would not have fitted: then there may be more.
    has_room = len(records) < wanted.records_max and size + BLOB_BYTES_MAX + RECORD_BYTES_MAX <= wanted.bytes_max
    is_all = has_room or not blobs
    return Fetched(records, next_offset, size, is_all)
