"""Keeping the log small: retention by time or size, and compaction. Run now and then, beside normal work."""

from __future__ import annotations

from typing import Final

from runtime.bus.port import Received, Record
from runtime.bus.postgres import frames
from runtime.database import Connection

_FETCH_ALL = (
    "SELECT first_offset, next_offset, record_count, recorded_at_ms, offsets, body FROM bus.blobs"
    " WHERE topic_id = %s AND partition = %s ORDER BY next_offset"
)

_TRIM: Final = """
WITH sized AS (
    SELECT partition, next_offset, recorded_at_ms,
        sum(octet_length(body)) OVER (PARTITION BY partition ORDER BY next_offset DESC) AS bytes_from_here
    FROM bus.blobs WHERE topic_id = %(topic_id)s
)
DELETE FROM bus.blobs b USING sized s
WHERE b.topic_id = %(topic_id)s AND b.partition = s.partition AND b.next_offset = s.next_offset
    AND (s.recorded_at_ms < %(older_than_ms)s::bigint OR s.bytes_from_here > %(bytes_max)s::bigint)
    AND NOT EXISTS (
        SELECT FROM bus.groups g
        LEFT JOIN bus.offsets o ON o.group_id = g.group_id AND o.partition = b.partition
        WHERE g.topic_id = b.topic_id AND coalesce(o.next_offset, 0) < b.next_offset
    )
"""
"""A limit that is null drops nothing."""


async def trim(
    connection: Connection, topic_id: int, *, older_than_ms: int | None = None, bytes_max: int | None = None
) -> int:
    """Drop blobs recorded before a time, or the oldest ones over a size. Returns how many blobs went.

    Args:
        connection: In autocommit mode.
        topic_id: The topic.
        older_than_ms: Drop what was recorded before this time, in milliseconds since 1970.
        bytes_max: Keep this many bytes of the newest blobs in each partition.

    Offsets are never used again. What a consumer group has still to handle stays, however old: a lost decision would be
    lost money. Readers outside any group that are behind the cut go on at the oldest record that is left.
    """
    if older_than_ms is None and bytes_max is None:
        return 0
    cursor = await connection.execute(
        _TRIM, {"topic_id": topic_id, "older_than_ms": older_than_ms, "bytes_max": bytes_max}
    )
    return cursor.rowcount


async def compact(connection: Connection, topic_id: int, partition_count: int) -> int:
    """Keep only the newest record of each key. Returns how many records went.

    Two passes over each partition: the first notes the newest offset of each key, the second rewrites the blobs
    that hold older ones. Records keep their offsets, so a reader on its way misses nothing.
    """
    dropped = 0
    for partition in range(partition_count):
        newest: dict[bytes, int] = {}
        async with connection.transaction(), connection.cursor(f"compact_{topic_id}_{partition}") as first:
            await first.execute(_FETCH_ALL, (topic_id, partition))
            async for row in first:
                for record in _records(row):
                    newest[record.key] = record.offset
        async with connection.transaction(), connection.cursor(f"compact_{topic_id}_{partition}") as second:
            await second.execute(_FETCH_ALL, (topic_id, partition))
            async for row in second:
                records = _records(row)
                # Keys published since the first pass are not known to it, or newer than it knows: they stay.
                kept = [record for record in records if record.offset >= newest.get(record.key, 0)]
                if len(kept) < len(records):
                    await _rewrite(connection, topic_id, partition, next_offset=row[1], kept=kept)
                    dropped += len(records) - len(kept)
    return dropped


async def _rewrite(
    connection: Connection, topic_id: int, partition: int, *, next_offset: int, kept: list[Received]
) -> None:
    if not kept:
        await connection.execute(
            "DELETE FROM bus.blobs WHERE topic_id = %s AND partition = %s AND next_offset = %s",
            (topic_id, partition, next_offset),
        )
        return
    body = frames.encode([Record(record.key, record.value, record.headers) for record in kept])
    await connection.execute(
        "UPDATE bus.blobs SET record_count = %s, offsets = %s, body = %b"
        " WHERE topic_id = %s AND partition = %s AND next_offset = %s",
        (len(kept), [record.offset for record in kept], body, topic_id, partition, next_offset),
    )


def _records(row: tuple[int, int, int, int, list[int] | None, bytes]) -> list[Received]:
    first_offset, _, count, recorded_at_ms, offsets, body = row
    return frames.decode(body, count=count, first_offset=first_offset, offsets=offsets, recorded_at_ms=recorded_at_ms)
