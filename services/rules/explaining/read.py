"""What was kept of the log, by event and by partner; and what was not kept yet, from the log itself.

Everything is read as of one moment: the tables in one transaction, and the log from exactly where they end to where it
ended when the question came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import psycopg

from contracts.errors import TransientError
from contracts.ids import event_hash
from contracts.topics import REFERRALS
from runtime.bus.port import Bus, Received
from runtime.database import CONNECT_S_MAX, OUTAGES, Connection
from services.rules.explaining.chunks import BROADCAST, identity_of, is_broadcast, partner_hash, unpack

SOURCES_MAX: Final = 10_000
"""Senders that an event id without its source is looked up for."""
TAIL_RECORDS_MAX: Final = 200_000
"""Of records that are not kept yet and are read from the log for one question, all partitions together."""
READ_RECORDS_MAX: Final = 5_000


class Place(NamedTuple):
    """A record and where it stands in the referral log."""

    partition: int
    record: Received


class History:
    """One moment of what was kept, and the tail of the log behind it.

    Attributes:
        left_out: Records of the tail that were not read because there are too many; 0 is usual.
    """

    def __init__(
        self,
        connection: Connection,
        tail: Mapping[int, Sequence[Received]],
        positions: Mapping[int, int],
        left_out: int,
    ) -> None:
        self._connection = connection
        self._tail = tail
        self._positions = positions
        self.left_out = left_out

    async def sources(self) -> list[str]:
        """Senders whose events were seen, sorted; at most SOURCES_MAX."""
        cursor = await self._connection.execute(
            'SELECT source FROM rules.history_sources ORDER BY source COLLATE "C" LIMIT %s', (SOURCES_MAX,)
        )
        known = {row[0] for row in await cursor.fetchall()}
        known.update(named[0] for records in self._tail.values() for each in records if (named := identity_of(each)))
        return sorted(known)

    async def arrivals(self, identities: Iterable[tuple[str, str]]) -> list[Place]:
        """Every record of these events (source and id), by partition and offset."""
        wanted = set(identities)
        cursor = await self._connection.execute(
            "SELECT DISTINCT c.partition, c.format, c.body, c.id FROM rules.history_events e"
            " JOIN rules.history_chunks c ON c.id = e.chunk_id WHERE e.event_hash = ANY (%s)",
            ([event_hash(*each) for each in wanted],),
        )
        found = [
            Place(partition, record)
            for partition, format, body, _ in await cursor.fetchall()
            for record in unpack(format, body)
            if identity_of(record) in wanted
        ]
        for partition, records in self._tail.items():
            found += [Place(partition, record) for record in records if identity_of(record) in wanted]
        return sorted(found, key=lambda place: (place.partition, place.record.offset))

    async def of_partner(self, partition: int, key: bytes, *, until: int, records_max: int) -> list[Received] | None:
        """All of a partner's records up to that offset, and the broadcasts between them, in order.

        None when there are more than `records_max`.
        """
        cursor = await self._connection.execute(
            "SELECT c.format, c.body FROM rules.history_chunks c WHERE c.first_offset <= %(until)s AND c.id IN"
            " (SELECT p.chunk_id FROM rules.history_partners p WHERE p.partner_hash = ANY (%(hashes)s)"
            " AND p.partition = %(partition)s ORDER BY p.chunk_id LIMIT %(chunks_max)s)",
            {
                "until": until,
                "hashes": [partner_hash(key), BROADCAST],
                "partition": partition,
                "chunks_max": min(records_max, 2**31) + 1,
            },
        )
        records: list[Received] = []
        for format, body in await cursor.fetchall():
            records += [each for each in unpack(format, body) if each.offset <= until and _concerns(each, key)]
        start = self._positions.get(partition, 0)
        records += [
            each for each in self._tail.get(partition, ()) if start <= each.offset <= until and _concerns(each, key)
        ]
        if len(records) > records_max:
            return None
        return sorted(records, key=lambda record: record.offset)

    async def ids_of_partner(self, key: bytes, *, limit: int) -> list[tuple[str, str]]:
        """Source and id of some of the partner's newest events, newest first."""
        cursor = await self._connection.execute(
            "SELECT c.format, c.body FROM rules.history_chunks c WHERE c.id IN (SELECT p.chunk_id"
            " FROM rules.history_partners p WHERE p.partner_hash = %s ORDER BY p.chunk_id DESC LIMIT %s)",
            (partner_hash(key), limit),
        )
        records = [each for row in await cursor.fetchall() for each in unpack(*row)]
        records += [each for tail in self._tail.values() for each in tail]
        records.sort(key=lambda record: record.offset, reverse=True)
        named = [identity_of(each) for each in records if each.key == key and not is_broadcast(each)]
        return [each for each in dict.fromkeys(named) if each is not None][:limit]


def _concerns(record: Received, key: bytes) -> bool:
    return record.key == key or is_broadcast(record)


@asynccontextmanager
async def open_history(postgres: str, bus: Bus) -> AsyncIterator[History]:
    """What is known at this moment; the bus is started. Raises TransientError."""
    try:
        async with await psycopg.AsyncConnection.connect(
            postgres, application_name="goodword-rules-explain", connect_timeout=CONNECT_S_MAX
        ) as connection:
            await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            await connection.set_read_only(True)
            cursor = await connection.execute("SELECT partition, next_offset FROM rules.history_positions")
            positions = {int(row[0]): int(row[1]) for row in await cursor.fetchall()}
            tail, left_out = await _tail(bus, positions)
            yield History(connection, tail, positions, left_out)
    except OUTAGES as error:
        raise TransientError(f"PostgreSQL does not answer: {error}") from error


async def _tail(bus: Bus, positions: Mapping[int, int]) -> tuple[dict[int, list[Received]], int]:
    """What each partition has beyond the positions; nothing, and how much, when it is too much."""
    ends = await bus.end_offsets(REFERRALS.name)
    behind = {partition: (positions.get(partition, 0), end) for partition, end in ends.items()}
    count = sum(max(0, end - start) for start, end in behind.values())
    if count > TAIL_RECORDS_MAX:
        return {}, count
    tail: dict[int, list[Received]] = {}
    for partition, (start, end) in behind.items():
        if start < end:
            records = tail.setdefault(partition, [])
            async for part in bus.read(
                REFERRALS.name, partition, start=start, end=end, batch_records_max=READ_RECORDS_MAX
            ):
                records += part
    return tail, 0
