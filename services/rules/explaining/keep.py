"""Keeps the events of the referral log by partner and by id, for explanations (docs/adr/0009-explanations-replay.md).

Promises:
- Chunks and the offset up to which they reach change in one transaction, and only from the offset that was
  expected: each record is kept once, whatever is killed and whoever else believes to hold the partition.
- Everything kept is a copy: emptied tables are filled again from the log (`goodword rebuild history`).
- Deciding comes first: while the rules are busy with full batches, keeping waits, for a bounded time. What is not kept
  yet is read from the log when somebody asks.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import Final

from contracts.errors import TransientError
from contracts.topics import REFERRALS
from runtime import log
from runtime.bus.port import Batch, Bus, Received
from runtime.database import OUTAGES, Connection, Database
from services.rules.explaining.chunks import FORMAT, Chunk, chunks_of
from services.rules.handlers import log_starts_late

CATCH_UP_RECORDS_MAX: Final = 5_000
BUSY_S: Final = 0.25
"""How long after a full batch the rules count as busy."""
BUSY_WAIT_S_MAX: Final = 5.0
"""How long one batch gives way, so that under lasting load keeping goes on, slowly."""
SOURCES_CACHE_MAX: Final = 10_000

# The binary format of COPY (PostgreSQL's manual, "COPY", file formats): each field with its length before it.
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_END: Final = struct.pack(">h", -1)
_PAIR: Final = struct.Struct(">hiqiq")
_TRIPLE: Final = struct.Struct(">hiqiiiq")
_CHUNK: Final = struct.Struct(">hiqiiiqihi")

logger = log.get(__name__)


class Moved(TransientError):
    """The stored offset is not the expected one: another process was faster, or the tables were emptied."""


class Busyness:
    """Whether the rules have more to decide than they can; told of each batch by their consumer."""

    def __init__(self, *, batch_records_max: int) -> None:
        self._full = max(1, batch_records_max // 2)
        self._busy_until = 0.0

    def handled(self, batch: Batch, seconds: float) -> None:
        if len(batch.records) >= self._full:
            self._busy_until = time.monotonic() + BUSY_S

    @property
    def is_busy(self) -> bool:
        return time.monotonic() < self._busy_until

    async def gives_way(self) -> None:
        """Return when the rules are not busy, or after about BUSY_WAIT_S_MAX."""
        for _ in range(int(BUSY_WAIT_S_MAX / BUSY_S)):
            left_s = self._busy_until - time.monotonic()
            if left_s <= 0:
                return
            await asyncio.sleep(left_s)


class HistoryOwner:
    """Owner of partitions of the referral log, for `runtime.bus.consumer`."""

    def __init__(self, *, bus: Bus, database: Database, busyness: Busyness) -> None:
        self._bus = bus
        self._database = database
        self._busyness = busyness
        self._sources: set[str] = set()

    async def assigned(self, topic: str, partition: int) -> int:
        return await self._position(partition)

    async def handle(self, batch: Batch) -> None:
        await self._busyness.gives_way()
        # Usually nothing; but the tables may have been emptied, or set back.
        position = await self.catch_up(batch.partition, batch.records[0].offset)
        records = [record for record in batch.records if record.offset >= position]
        if position < batch.next_offset:
            await self._keep(batch.partition, position, records, batch.next_offset)
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        """Nothing is kept in memory per partition."""

    async def catch_up(self, partition: int, end: int) -> int:
        """Keep everything up to `end` that is not kept yet, from the log; the offset reached.

        Raises:
            Moved: Somebody else was faster; call again.
            PermanentError: `log-starts-late`.
        """
        position = await self._position(partition)
        if position >= end:
            return position
        logger.info("catching up", partition=partition, start=position, end=end)
        chunks = self._bus.read(
            REFERRALS.name, partition, start=position, end=end, batch_records_max=CATCH_UP_RECORDS_MAX
        )
        async for records in chunks:
            if records[0].offset != position:
                raise log_starts_late(partition, position, records[0].offset)
            after = records[-1].offset + 1
            await self._keep(partition, position, records, after)
            position = after
        return position

    async def _position(self, partition: int) -> int:
        try:
            rows = await self._database.fetch_all(
                "SELECT next_offset FROM rules.history_positions WHERE partition = %(partition)s",
                {"partition": partition},
            )
        except OUTAGES as error:
            raise TransientError(f"PostgreSQL does not answer: {error}") from error
        return int(rows[0][0]) if rows else 0

    async def _keep(self, partition: int, position: int, records: Sequence[Received], next_offset: int) -> None:
        """Raises Moved or TransientError; nothing was kept then, or all of it."""
        # Packing a batch takes tens of milliseconds, most of them in zlib, which lets other threads run.
        chunks, sources = await asyncio.to_thread(chunks_of, records)
        try:
            async with self._database.connection() as connection, connection.transaction():
                await _advance(connection, partition, position, next_offset)
                await _store(connection, partition, chunks)
                news = sources - self._sources
                if news:
                    await connection.execute(
                        "INSERT INTO rules.history_sources (source) SELECT s FROM unnest(%s::text[]) s ORDER BY s"
                        " ON CONFLICT DO NOTHING",
                        (sorted(news),),
                    )
        except OUTAGES as error:
            raise TransientError(f"PostgreSQL does not answer: {error}") from error
        if len(self._sources) < SOURCES_CACHE_MAX:
            self._sources |= news


async def _advance(connection: Connection, partition: int, position: int, next_offset: int) -> None:
    """First of all, so that whoever else writes this partition waits for our lock and then finds it moved."""
    moved = await connection.execute(
        "UPDATE rules.history_positions SET next_offset = %s WHERE partition = %s AND next_offset = %s",
        (next_offset, partition, position),
    )
    if moved.rowcount == 0 and position == 0:
        moved = await connection.execute(
            "INSERT INTO rules.history_positions (partition, next_offset) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (partition, next_offset),
        )
    if moved.rowcount == 0:
        raise Moved(f"partition {partition} is no longer kept up to offset {position}")


async def _store(connection: Connection, partition: int, chunks: list[Chunk]) -> None:
    if not chunks:
        return
    cursor = connection.cursor()
    await cursor.execute(
        "SELECT nextval('rules.history_chunk_ids') FROM generate_series(1, %s)", (len(chunks),), prepare=True
    )
    ids = [int(row[0]) for row in await cursor.fetchall()]
    rows, partners, events = [_COPY_HEAD], [_COPY_HEAD], [_COPY_HEAD]
    for id, chunk in zip(ids, chunks, strict=True):
        rows.append(_CHUNK.pack(5, 8, id, 4, partition, 8, chunk.first_offset, 2, FORMAT, len(chunk.body)))
        rows.append(chunk.body)
        partners += [_TRIPLE.pack(3, 8, partner, 4, partition, 8, id) for partner in chunk.partners]
        events += [_PAIR.pack(2, 8, event, 8, id) for event in chunk.events]
    async with cursor.copy(
        "COPY rules.history_chunks (id, partition, first_offset, format, body) FROM STDIN (FORMAT binary)"
    ) as copy:
        await copy.write(b"".join([*rows, _COPY_END]))
    async with cursor.copy(
        "COPY rules.history_partners (partner_hash, partition, chunk_id) FROM STDIN (FORMAT binary)"
    ) as copy:
        await copy.write(b"".join([*partners, _COPY_END]))
    async with cursor.copy("COPY rules.history_events (event_hash, chunk_id) FROM STDIN (FORMAT binary)") as copy:
        await copy.write(b"".join([*events, _COPY_END]))
