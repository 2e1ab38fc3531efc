"""The table of requests that were answered.

Promises: while a request is carried out nobody else carries it out, in whichever process; when its process dies, its
lock and all it did are gone with its connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.database import Connection, Database
from services.rewards.requests.identity import Identity


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request: HTTP status, media type and body."""

    fingerprint: bytes
    status: int
    media_type: str
    body: bytes


async def begin(connection: Connection, identity: Identity) -> bool:
    """Take the request until the end of the transaction; False while another one is at it."""
    cursor = await connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"rewards/requests/{identity.who}\n{identity.key}",),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def find(connection: Connection, identity: Identity, *, since_ms: int) -> Answer | None:
    """What was answered under this name since then."""
    cursor = await connection.execute(
        "SELECT fingerprint, status, media_type, body FROM rewards.requests"
        " WHERE who = %s AND key = %s AND answered_at >= to_timestamp(%s / 1000.0)",
        (identity.who, identity.key, since_ms),
    )
    row = await cursor.fetchone()
    return None if row is None else Answer(bytes(row[0]), row[1], row[2], bytes(row[3]))


async def keep(connection: Connection, identity: Identity, answer: Answer, *, at_ms: int) -> None:
    """Keep the answer; one that was too old to be found makes room."""
    await connection.execute(
        "INSERT INTO rewards.requests (who, key, fingerprint, status, media_type, body, answered_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, to_timestamp(%s / 1000.0))"
        " ON CONFLICT (who, key) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,"
        " media_type = excluded.media_type, body = excluded.body, answered_at = excluded.answered_at",
        (identity.who, identity.key, answer.fingerprint, answer.status, answer.media_type, answer.body, at_ms),
    )


async def forget(database: Database, *, before_ms: int) -> int:
    """Drop what was answered before then; returns how many."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "DELETE FROM rewards.requests WHERE answered_at < to_timestamp(%s / 1000.0)", (before_ms,)
        )
        return cursor.rowcount
