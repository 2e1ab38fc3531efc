"""Shadows as they are stored: which there are, and which one runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from psycopg.rows import class_row

from runtime.database import Connection
from services.rules.lifecycle.record import told

_SELECT: Final = (
    "SELECT number, programme, revision, share_ppm, state, started_by, started_at, ended_by, ended_at, reason"
    " FROM rules.shadows"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One shadow: `revision` beside what is in force, for `share_ppm` of the partners. `reason`: why it failed."""

    number: int
    programme: str
    revision: int
    share_ppm: int
    state: Literal["running", "ended", "failed"]
    started_by: str
    started_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "programme": self.programme,
            "revision": self.revision,
            "share_ppm": self.share_ppm,
            "state": self.state,
            "started_by": self.started_by,
            "started_at": told(self.started_at),
            "ended_by": self.ended_by,
            "ended_at": told(self.ended_at),
            "reason": self.reason,
        }


async def fetch_running(connection: Connection) -> Shadow | None:
    """The one that runs; None: there is none."""
    async with connection.cursor(row_factory=class_row(Shadow)) as cursor:
        await cursor.execute(_SELECT + " WHERE state = 'running'")
        return await cursor.fetchone()


async def fetch_newest(connection: Connection, programme: str | None = None) -> Shadow | None:
    """The one that was started last, of a programme or of all; it may have ended. None: there never was one."""
    async with connection.cursor(row_factory=class_row(Shadow)) as cursor:
        await cursor.execute(
            _SELECT + " WHERE %(programme)s::text IS NULL OR programme = %(programme)s ORDER BY number DESC LIMIT 1",
            {"programme": programme},
        )
        return await cursor.fetchone()


async def mark_over(
    connection: Connection,
    number: int,
    state: Literal["ended", "failed"],
    *,
    at: datetime,
    by: str | None = None,
    reason: str = "",
) -> bool:
    """End it, and forget its states; what differed is kept. Returns whether it was running. In a transaction."""
    cursor = await connection.execute(
        "UPDATE rules.shadows SET state = %s, ended_at = %s, ended_by = %s, reason = %s"
        " WHERE number = %s AND state = 'running'",
        (state, at, by, reason, number),
    )
    if cursor.rowcount == 0:
        return False
    await connection.execute("DELETE FROM rules.shadow_states WHERE number = %s", (number,))
    return True
