"""The tables of the log and how they come to be: idempotent, versioned, under an advisory lock.

The bus makes its own schema, because it serves all services and belongs to none.
"""

from __future__ import annotations

from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

INSTALL_LOCK: Final = 0x476F6F6462757301
"""One installer at a time ("Goodbus", 1)."""

_VERSION_1: Final[LiteralString] = """
CREATE TABLE bus.topics (
    topic_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    partition_count int NOT NULL CHECK (partition_count > 0),
    is_compacted boolean NOT NULL
);

-- The row lock on a partition orders its publishers; it is held to the commit, so blobs become visible in the
-- order of their offsets. Half-empty pages keep the updates of this hot row on its page.
CREATE TABLE bus.partitions (
    topic_id int NOT NULL REFERENCES bus.topics,
    partition int NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, partition)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE bus.blobs (
    topic_id int NOT NULL,
    partition int NOT NULL,
    first_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    record_count int NOT NULL CHECK (record_count > 0),
    recorded_at_ms bigint NOT NULL,
    -- Null while offsets are gapless, as they are until compaction.
    offsets bigint[],
    body bytea NOT NULL,
    PRIMARY KEY (topic_id, partition, next_offset)
);
-- Compressing in the server costs more CPU than the disk it saves; senders' JSON is small.
ALTER TABLE bus.blobs ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE bus.groups (
    group_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    topic_id int NOT NULL REFERENCES bus.topics,
    UNIQUE (name, topic_id)
);

CREATE TABLE bus.offsets (
    group_id int NOT NULL REFERENCES bus.groups,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, partition)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- One call is one transaction is one round trip. Entries come sorted by topic and partition: two publishers that
-- locked partitions in different orders would deadlock.
CREATE FUNCTION bus.append(topic_ids int[], partition_numbers int[], counts int[], bodies bytea[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entry record;
    end_offset bigint;
BEGIN
    FOR entry IN
        SELECT * FROM unnest(topic_ids, partition_numbers, counts, bodies) AS e (topic_id, partition, count, body)
    LOOP
        UPDATE bus.partitions p SET next_offset = p.next_offset + entry.count
        WHERE p.topic_id = entry.topic_id AND p.partition = entry.partition
        RETURNING p.next_offset INTO STRICT end_offset;
        INSERT INTO bus.blobs (topic_id, partition, first_offset, next_offset, record_count, recorded_at_ms, body)
        VALUES (
            entry.topic_id, entry.partition, end_offset - entry.count, end_offset, entry.count,
            floor(extract(epoch FROM clock_timestamp()) * 1000), entry.body
        );
    END LOOP;
END
$$;

-- The blobs from an offset on, until there are enough records or bytes; at least one blob, if there is any.
CREATE FUNCTION bus.fetch(
    wanted_topic_id int, wanted_partition int, start_offset bigint, records_max int, bytes_max bigint
)
RETURNS TABLE (
    first_offset bigint, next_offset bigint, record_count int, recorded_at_ms bigint, offsets bigint[], body bytea
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    records bigint := 0;
    bytes bigint := 0;
BEGIN
    FOR first_offset, next_offset, record_count, recorded_at_ms, offsets, body IN
        SELECT b.first_offset, b.next_offset, b.record_count, b.recorded_at_ms, b.offsets, b.body
        FROM bus.blobs b
        WHERE b.topic_id = wanted_topic_id AND b.partition = wanted_partition AND b.next_offset > start_offset
        ORDER BY b.next_offset
    LOOP
        EXIT WHEN records > 0 AND bytes + octet_length(body) > bytes_max;
        RETURN NEXT;
        records := records + record_count - greatest(start_offset - first_offset, 0);
        bytes := bytes + octet_length(body);
        EXIT WHEN records >= records_max OR bytes >= bytes_max;
    END LOOP;
END
$$;
"""

_VERSIONS: Final[tuple[LiteralString, ...]] = (_VERSION_1,)
"""One script a version, in order; a published one is never edited."""


async def install(connection: AsyncConnection[TupleRow]) -> None:
    """Bring the schema to the newest version; does nothing when it is there. Callers may race."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (INSTALL_LOCK,))
        await connection.execute("CREATE SCHEMA IF NOT EXISTS bus")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS bus.versions"
            " (version int PRIMARY KEY, installed_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM bus.versions")
        row = await cursor.fetchone()
        installed = int(row[0]) if row else 0
        for version, script in enumerate(_VERSIONS[installed:], installed + 1):
            await connection.execute(script, prepare=False)
            await connection.execute("INSERT INTO bus.versions (version) VALUES (%s)", (version,))
