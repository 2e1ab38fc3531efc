"""The audit log: who did what to which revision, when, and why. Rows are added and never changed.

The database itself gives each row its number and a hash over the row and the hash before it, and refuses changes to
everybody (the migration says how). `altered` finds the first row that somebody changed, removed or put in nevertheless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from runtime.database import Connection
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.record import Revision, moment, told

PAGE_ROWS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One thing that somebody did. `revision` is None for what concerns none, such as a key."""

    number: int
    at: datetime
    programme: str | None
    revision: int | None
    digest: str | None
    action: str
    who: str
    note: str
    details: dict[str, Any]
    hash: bytes

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": told(self.at),
            "programme": self.programme,
            "revision": self.revision,
            "digest": self.digest,
            "action": self.action,
            "who": self.who,
            "note": self.note,
            "details": self.details,
            "hash": self.hash.hex(),
        }


async def note_in_audit(
    connection: Connection,
    action: str,
    *,
    at_ms: int,
    who: str,
    programme: str | None = None,
    revision: Revision | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a row, in the transaction of what it tells of; `programme` where it concerns none of its revisions."""
    await connection.execute(
        "INSERT INTO rules.audit (at, programme, revision, digest, action, who, note, details)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            moment(at_ms),
            programme if revision is None else revision.programme,
            revision and revision.revision,
            revision and revision.digest,
            action,
            who,
            note,
            Jsonb(dict(details or {})),
        ),
    )


async def read_audit(
    postgres: str,
    programme: str | None = None,
    *,
    revision: int | None = None,
    after: int = 0,
    rows_max: int = PAGE_ROWS_MAX,
) -> list[AuditRow]:
    """Rows in their order, from the one after that number on; of one programme, or of all."""
    async with connect(postgres) as connection, connection.cursor(row_factory=class_row(AuditRow)) as cursor:
        await cursor.execute(
            "SELECT number, at, programme, revision, digest, action, who, note, details, hash FROM rules.audit"
            " WHERE number > %(after)s AND (%(programme)s::text IS NULL OR programme = %(programme)s)"
            " AND (%(revision)s::integer IS NULL OR revision = %(revision)s) ORDER BY number LIMIT %(rows)s",
            {"after": after, "programme": programme, "revision": revision, "rows": rows_max},
        )
        return await cursor.fetchall()


async def altered(postgres: str) -> int | None:
    """The number of the first row that is not as it was written, or stands where another was; None: there is none."""
    async with connect(postgres) as connection:
        cursor = await connection.execute(
            """
            SELECT min(number) FROM (
                SELECT a.number, a.hash IS DISTINCT FROM rules.audit_hash(a)
                    OR a.previous_hash <> lag(a.hash, 1, ''::bytea) OVER in_order
                    OR a.number <> row_number() OVER in_order AS is_altered
                FROM rules.audit a WINDOW in_order AS (ORDER BY a.number)
            ) AS checked WHERE is_altered
            """
        )
        row = await cursor.fetchone()
    return None if row is None else row[0]
