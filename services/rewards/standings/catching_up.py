"""Reads tiers from decisions that were posted without being kept here: those of before an upgrade, of before a back-up
was restored, or of a ledger that is made anew. One round of `runtime.rounds`.

Promises: when nothing is behind (`store.behind`), the standings are what every decision that was posted says. It is
known of each partition how far that is, durable with the rows themselves, so a stop or a crash reads little again; an
older decision changes nothing, so it does not matter who reads what in which order. Where the beginning of the log is
gone, the archive of decisions stands for it. Memory is bounded: it is read in pieces, each a transaction.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

from contracts.topics import DECISIONS
from runtime import log
from runtime.bus.partitioner import partition_of
from runtime.bus.port import Bus
from runtime.database import Database
from services.rewards.archive import unpack_heads
from services.rewards.decode import decode_heads
from services.rewards.settings import GROUP
from services.rewards.standings import store
from services.rewards.standings.changes import Change, newest_changes
from services.rewards.standings.keeping import Standings, Stretch
from services.rewards.store import outages_are_transient

READ_RECORDS_MAX: Final = 5_000
BLOBS_MAX: Final = 5
"""Blobs of the archive in memory at a time, of thousands of decisions each."""
_MARK: Final = b'"tier_to"'
"""What every decision contains that changes a tier, and hardly another: most need not be decoded."""

logger = log.get(__name__)


class CatchUp:
    """Looks at the partitions that are held here."""

    def __init__(self, database: Database, bus: Bus, standings: Standings) -> None:
        self._database = database
        self._bus = bus
        self._held = standings.held
        self._has_aimed = False

    async def round(self) -> None:
        """Read what is missing of each partition, then note how far all is kept.

        Raises:
            TransientError: The bus or the database is away; what was read is kept.
        """
        if not self._has_aimed:
            await self._aim()
        for partition, stretch in list(self._held.items()):
            if stretch.noted is None:
                await self._catch_up(partition, stretch)
        moved = {
            partition: stretch.next
            for partition, stretch in self._held.items()
            if stretch.noted is not None and stretch.next is not None and stretch.next > stretch.noted
        }
        if moved:
            with outages_are_transient():
                async with self._database.connection() as connection:
                    await store.note_read(connection, moved)
            for partition, done in moved.items():
                if partition in self._held:
                    self._held[partition].noted = done

    async def _aim(self) -> None:
        """Once: until what was posted by now has been read, nobody's tier is certain."""
        count = await self._bus.partition_count(DECISIONS.name)
        committed = await self._bus.committed(DECISIONS.name, GROUP)
        with outages_are_transient():
            async with self._database.connection() as connection:
                await store.aim(connection, {partition: committed.get(partition, 0) for partition in range(count)})
        self._has_aimed = True

    async def _catch_up(self, partition: int, stretch: Stretch) -> None:
        committed = await self._bus.committed(DECISIONS.name, GROUP)
        until = committed.get(partition, 0) if stretch.first is None else stretch.first
        with outages_are_transient():
            async with self._database.connection() as connection:
                done, _ = (await store.read_so_far(connection)).get(partition, (0, 0))
                await store.aim(connection, {partition: until})
        if done < until:
            logger.info("reading tiers from older decisions", partition=partition, start=done, end=until)
            await self._read(partition, done, until)
            logger.info("tiers of older decisions are read", partition=partition, end=until)
        stretch.noted = max(done, until)

    async def _read(self, partition: int, start: int, end: int) -> None:
        count = await self._bus.partition_count(DECISIONS.name)
        read = self._bus.read(DECISIONS.name, partition, start=start, end=end, batch_records_max=READ_RECORDS_MAX)
        is_first = True
        async with aclosing(read) as batches:  # type: ignore[type-var] # an async generator, which the port need not say
            async for records in batches:
                if is_first and records[0].offset > start:
                    await self._read_archive()
                is_first = False
                found = [record for record in records if _MARK in record.value]
                decoded = decode_heads([record.value for record in found])
                changes = newest_changes(
                    (found[index].offset, head) for index, head in zip(decoded.indexes, decoded.decisions, strict=True)
                )
                at_home = [partition_of(each.partner.encode(), count) == partition for each in changes]
                await self._put(partition, changes, at_home, records[-1].offset + 1)
        if is_first:
            await self._read_archive()
        await self._put(partition, [], [], end)

    async def _read_archive(self) -> None:
        """All that was archived by now, once."""
        with outages_are_transient():
            async with self._database.connection() as connection:
                done, until = (await store.read_so_far(connection)).get(store.ARCHIVE, (0, 0))
                if not until:
                    cursor = await connection.execute("SELECT coalesce(max(id), 0) + 1 FROM rewards.decision_blobs")
                    row = await cursor.fetchone()
                    until = int(row[0]) if row else 1
                    await store.aim(connection, {store.ARCHIVE: until})
        if done < until:
            logger.warning("the log has lost its beginning: tiers are read from the archive", start=done, end=until)
        while done < until:
            changes, done = await self._archived(done, until)
            await self._put(store.ARCHIVE, changes, [False] * len(changes), done)

    async def _archived(self, start: int, end: int) -> tuple[list[Change], int]:
        """Of some blobs from `start` on, and where to go on after them."""
        with outages_are_transient():
            async with self._database.connection() as connection:
                cursor = await connection.execute(
                    "SELECT id, format, body FROM rewards.decision_blobs WHERE id >= %s AND id < %s"
                    " ORDER BY id LIMIT %s",
                    (start, end, BLOBS_MAX),
                    binary=True,
                )
                blobs = await cursor.fetchall()
        if not blobs:
            return [], end
        heads = await asyncio.to_thread(
            lambda: [(id, head) for id, format, body in blobs for head in unpack_heads(format, body)]
        )
        return newest_changes(heads), blobs[-1][0] + 1

    async def _put(self, partition: int, changes: list[Change], at_home: list[bool], done: int) -> None:
        with outages_are_transient():
            async with self._database.connection() as connection, connection.transaction():
                if changes:
                    await store.put(connection, partition, changes, at_home)
                await store.note_read(connection, {partition: done})
