"""Revisions as they are stored: one row each, whose text never changes while its state does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row

from contracts.errors import PermanentError, Problem
from contracts.events import EPOCH, format_time, time_ms_of
from runtime.database import Connection
from services.rules.lifecycle.states import State

_COLUMNS: Final = """
    SELECT r.programme, r.revision, r.digest, r.path,
           CASE WHEN %(with_text)s THEN r.source_text ELSE '' END AS source_text, r.author,
           r.state, r.submitted_at, r.note,
           r.base_revision, r.approved_by, r.approved_at, r.effective_from_at, r.published_at, r.restores_revision,
           (SELECT a.canary FROM rules.activations a
            WHERE a.programme = r.programme AND a.revision = r.revision ORDER BY a.activation DESC LIMIT 1) AS canary
    FROM rules.revisions r
"""
_SELECT: Final = (
    _COLUMNS
    + """
    WHERE (%(programme)s::text IS NULL OR r.programme = %(programme)s)
      AND (%(state)s::text IS NULL OR r.state = %(state)s)
    ORDER BY r.programme, r.revision
"""
)
_SELECT_ONE: Final = _COLUMNS + "WHERE r.programme = %(programme)s AND r.revision = %(revision)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A stored revision of a programme's rule set.

    Attributes:
        author: Who submitted it.
        base_revision: What was active when it was submitted; None before the first.
        effective_from_at: From which event time it is in force; None before it is published.
        published_at: When it was first broadcast.
        restores_revision: Of a rollback, the revision whose text it brings back.
        canary: For whom it was activated last; None: for everybody.
    """

    programme: str
    revision: int
    digest: str
    path: str
    source_text: str
    author: str
    state: State
    submitted_at: datetime
    note: str = ""
    base_revision: int | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    effective_from_at: datetime | None = None
    published_at: datetime | None = None
    restores_revision: int | None = None
    canary: dict[str, Any] | None = None

    @property
    def effective_from_ms(self) -> int | None:
        return None if self.effective_from_at is None else time_ms_of(self.effective_from_at)

    def as_json(self) -> dict[str, Any]:
        """For programs, without the text."""
        return {
            "programme": self.programme,
            "revision": self.revision,
            "state": self.state,
            "digest": self.digest,
            "effective_from": told(self.effective_from_at),
            "submitted_at": told(self.submitted_at),
            "published_at": told(self.published_at),
            "author": self.author,
            "approved_by": self.approved_by,
            "approved_at": told(self.approved_at),
            "base_revision": self.base_revision,
            "restores_revision": self.restores_revision,
            "canary": self.canary,
            "note": self.note,
            "path": self.path,
        }


async def fetch(
    connection: Connection, programme: str | None, state: State | None = None, *, with_text: bool = True
) -> list[Revision]:
    """Revisions of a programme, or of all, in one state, or in any; oldest first within a programme.

    `with_text=False` leaves their texts empty, which are nearly all of their bytes.
    """
    async with connection.cursor(row_factory=class_row(Revision)) as cursor:
        await cursor.execute(_SELECT, {"programme": programme, "state": state, "with_text": with_text})
        return await cursor.fetchall()


async def fetch_active(connection: Connection, programme: str) -> Revision | None:
    """The newest revision that is in force for everybody, or will be from its effective time on."""
    found = await fetch(connection, programme, "active")
    return found[0] if found else None


async def fetch_one(connection: Connection, programme: str, revision: int) -> Revision:
    """Raises PermanentError(`unknown-revision`)."""
    async with connection.cursor(row_factory=class_row(Revision)) as cursor:
        await cursor.execute(_SELECT_ONE, {"programme": programme, "revision": revision, "with_text": True})
        found = await cursor.fetchone()
    if found is None:
        raise PermanentError(
            Problem(
                code="unknown-revision",
                message=f"there is no revision {revision} of {programme}",
                where=f"{programme}/{revision}",
                help="`goodword rules list` shows which there are",
            )
        )
    return found


async def set_state(connection: Connection, revision: Revision, state: State) -> None:
    await connection.execute(
        "UPDATE rules.revisions SET state = %s WHERE programme = %s AND revision = %s",
        (state, revision.programme, revision.revision),
    )


def moment(time_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=time_ms)


def told(at: datetime | None) -> str | None:
    return None if at is None else format_time(time_ms_of(at))
