"""The log on PostgreSQL: topics with partitions, one row per published batch, offsets without gaps.

Durable means committed with `synchronous_commit` on. For one machine: the readers' wake-up and the sharing of
partitions need nothing but the server itself, and its throughput is one disk's.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from contracts.errors import Problem
from contracts.topics import Topic
from runtime.bus.batches import by_partition, check_size, cut
from runtime.bus.port import PUBLISH_WAIT_S_MAX, BusUnavailable, Owner, Received, Record
from runtime.bus.postgres import frames, maintenance, schema
from runtime.bus.postgres.keeper import LogKeeper
from runtime.bus.postgres.link import Link, connect, reason
from runtime.bus.postgres.listener import Listener
from runtime.bus.postgres.publisher import BLOB_BYTES_MAX, Publisher
from runtime.bus.postgres.session import fetch
from runtime.bus.postgres.subscription import Place, PostgresSubscription
from runtime.bus.retention import Retention
from runtime.clock import Clock, SystemClock
from runtime.database import OUTAGES

SYSTEM_CLOCK: Final = SystemClock()
READ_BYTES_MAX: Final = 4 * 1024 * 1024
RECORD_BYTES_BESIDES: Final = 100
"""What a record takes in a blob beside key and value, most headers being shared; measured at 60 to 100."""


class PostgresBus:
    """See the module; `runtime.bus.port.Bus`.

    Args:
        url: The database; the log lives in its schema `bus`, which is made at the start.
        client: Who we are, for `pg_stat_activity`.
        publish_wait_s_max: How long a publish waits in an outage before it raises BusUnavailable.
        retention: How the log is looked after beside normal work; None leaves that to others.
    """

    name = "postgres"

    def __init__(
        self,
        url: str,
        *,
        client: str,
        publish_wait_s_max: float = PUBLISH_WAIT_S_MAX,
        retention: Retention | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._url = url
        self._application = f"goodword-bus-{client}"
        self._admin = Link(url, f"{self._application}-admin")
        self._publisher = Publisher(url, self._application, wait_s_max=publish_wait_s_max)
        self._listener = Listener(url, self._application)
        self._keeper = None if retention is None else LogKeeper(url, self._application, retention, clock)
        self._topics: dict[str, tuple[int, int]] = {}

    async def start(self) -> None:
        """Make the schema and start writing. Raises BusUnavailable."""
        async with self._admin.use() as connection:
            await schema.install(connection)
        self._publisher.start()
        self._listener.start()
        if self._keeper is not None:
            self._keeper.start()

    async def close(self) -> None:
        if self._keeper is not None:
            await self._keeper.close()
        await self._publisher.close()
        await self._listener.close()
        await self._admin.close()

    async def check(self) -> None:
        async with self._admin.use() as connection:
            await connection.execute("SELECT 1")

    async def ensure_topics(self, topics: Sequence[Topic], partitions: int) -> None:
        wanted = [(topic.name, partitions, topic.is_compacted) for topic in topics]
        wanted += [(topic.dlq, 1, False) for topic in topics]
        async with self._admin.use() as connection, connection.transaction():
            for name, count, is_compacted in sorted(wanted):
                await connection.execute(
                    "INSERT INTO bus.topics (name, partition_count, is_compacted) VALUES (%s, %s, %s)"
                    " ON CONFLICT (name) DO NOTHING",
                    (name, count, is_compacted),
                )
            await connection.execute(
                "INSERT INTO bus.partitions (topic_id, partition)"
                " SELECT topic_id, generate_series(0, partition_count - 1) FROM bus.topics"
                " ON CONFLICT DO NOTHING"
            )

    async def partition_count(self, topic: str) -> int:
        return (await self._topic(topic))[1]

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        if not records:
            return
        topic_id, count = await self._topic(topic)
        chunks = [
            (topic_id, partition, len(part), body)
            for partition, batch in by_partition(topic, records, count).items()
            for part, body in _encoded(topic, batch)
        ]
        await self._publisher.publish(chunks, sum(len(chunk[3]) for chunk in chunks))

    async def subscribe(
        self,
        topic: str,
        group: str,
        owner: Owner,
        *,
        batch_records_max: int,
        batch_bytes_max: int,
        linger_ms: int = 0,
    ) -> PostgresSubscription:
        topic_id, count = await self._topic(topic)
        async with self._admin.use() as connection:
            await connection.execute(
                "INSERT INTO bus.groups (name, topic_id) VALUES (%s, %s) ON CONFLICT DO NOTHING", (group, topic_id)
            )
            cursor = await connection.execute(
                "SELECT group_id FROM bus.groups WHERE name = %s AND topic_id = %s", (group, topic_id)
            )
            row = await cursor.fetchone()
        assert row is not None
        place = Place(self._url, self._application, topic, topic_id, count, row[0])
        return PostgresSubscription(
            place,
            self._listener,
            owner,
            batch_records_max=batch_records_max,
            batch_bytes_max=batch_bytes_max,
            linger_ms=linger_ms,
        )

    async def end_offsets(self, topic: str) -> dict[int, int]:
        topic_id, _ = await self._topic(topic)
        async with self._admin.use() as connection:
            cursor = await connection.execute(
                "SELECT partition, next_offset FROM bus.partitions WHERE topic_id = %s", (topic_id,)
            )
            return {row[0]: row[1] for row in await cursor.fetchall()}

    async def committed(self, topic: str, group: str) -> dict[int, int]:
        topic_id, _ = await self._topic(topic)
        async with self._admin.use() as connection:
            cursor = await connection.execute(
                "SELECT o.partition, o.next_offset FROM bus.offsets o JOIN bus.groups g USING (group_id)"
                " WHERE g.name = %s AND g.topic_id = %s",
                (group, topic_id),
            )
            return {row[0]: row[1] for row in await cursor.fetchall()}

    async def read(
        self, topic: str, partition: int, *, start: int, end: int, batch_records_max: int
    ) -> AsyncIterator[Sequence[Received]]:
        """See the port. Raises BusUnavailable; the caller starts again where it was."""
        topic_id, _ = await self._topic(topic)
        try:
            connection = await connect(self._url, f"{self._application}-scan")
            try:
                position = start
                while position < end:
                    records, position_after, *_ = await fetch(
                        connection,
                        topic_id,
                        partition,
                        start=position,
                        records_max=batch_records_max,
                        bytes_max=READ_BYTES_MAX,
                    )
                    if position_after == position:
                        return
                    position = position_after
                    wanted = [record for record in records if record.offset < end]
                    for part in cut(wanted, records_max=batch_records_max, bytes_max=READ_BYTES_MAX):
                        yield part
            finally:
                with contextlib.suppress(*OUTAGES):
                    await connection.close()
        except OUTAGES as error:
            raise BusUnavailable(f"PostgreSQL: {reason(error)}") from error

    async def trim(self, topic: str, *, older_than_ms: int | None = None, bytes_max: int | None = None) -> int:
        """Drop old blobs, see `maintenance.trim`. For retention; not on the port, for Kafka has its own."""
        topic_id, _ = await self._topic(topic)
        async with self._admin.use() as connection:
            return await maintenance.trim(connection, topic_id, older_than_ms=older_than_ms, bytes_max=bytes_max)

    async def compact(self, topic: str) -> int:
        """Keep the newest record of each key, see `maintenance.compact`."""
        topic_id, count = await self._topic(topic)
        async with self._admin.use() as connection:
            return await maintenance.compact(connection, topic_id, count)

    async def _topic(self, topic: str) -> tuple[int, int]:
        """Id and partition count, remembered. Raises BusUnavailable for a topic that is not there (yet)."""
        known = self._topics.get(topic)
        if known is not None:
            return known
        async with self._admin.use() as connection:
            # Many ask at once in the beginning; those who waited for the connection find the answer here.
            if topic not in self._topics:
                cursor = await connection.execute(
                    "SELECT topic_id, partition_count FROM bus.topics WHERE name = %s", (topic,)
                )
                row = await cursor.fetchone()
                if row is None:
                    problem = Problem(code="no-such-topic", message="the topic is not there", where=topic)
                    raise BusUnavailable(str(problem))
                self._topics[topic] = (int(row[0]), int(row[1]))
        return self._topics[topic]


def _encoded(topic: str, records: Sequence[Record]) -> list[tuple[Sequence[Record], bytes]]:
    """The records in blobs of about BLOB_BYTES_MAX, or of one record; each is encoded once, so sizes are estimated."""
    found: list[tuple[Sequence[Record], bytes]] = []
    start = size = 0
    for index, record in enumerate(records):
        record_bytes = len(record.key) + len(record.value) + RECORD_BYTES_BESIDES
        if size and size + record_bytes > BLOB_BYTES_MAX:
            found += _blobs(topic, records[start:index])
            start, size = index, 0
        size += record_bytes
    return found + _blobs(topic, records[start:] if start else records)


def _blobs(topic: str, records: Sequence[Record]) -> list[tuple[Sequence[Record], bytes]]:
    """One blob, unless headers made it much larger than estimated."""
    body = frames.encode(records)
    if len(body) <= 2 * BLOB_BYTES_MAX:
        return [(records, body)]
    if len(records) == 1:
        check_size(topic, records[0])
        return [(records, body)]
    middle = len(records) // 2
    return _blobs(topic, records[:middle]) + _blobs(topic, records[middle:])
