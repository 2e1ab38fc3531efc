"""Restatements as they are stored and read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from psycopg.rows import class_row, dict_row

from contracts.errors import PermanentError, Problem
from runtime.database import Connection
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.record import told

State = Literal["proposed", "approved", "posted", "rejected"]
LINES_SHOWN_MAX: Final = 500
_SELECT: Final = """
    SELECT programme, number, revision, label, digest, from_day, to_day, follows, events, state, proposed_by,
           proposed_at, note, decided_by, decided_at, posted_at
    FROM rules.restatements
    WHERE (%(programme)s::text IS NULL OR programme = %(programme)s)
      AND (%(number)s::integer IS NULL OR number = %(number)s)
      AND (%(state)s::text IS NULL OR state = %(state)s)
    ORDER BY programme, number
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """One restatement, without its lines.

    Attributes:
        revision: That the past is decided by; None for rules that were not published. `label` names either.
        from_day, to_day: Local days of the events, both inclusive; None: to the end.
        follows: How many of the programme had been posted when it was proposed.
        decided_by: Who approved or rejected it.
    """

    programme: str
    number: int
    revision: int | None
    label: str
    digest: str
    from_day: date
    to_day: date | None
    follows: int
    events: int
    state: State
    proposed_by: str
    proposed_at: datetime
    note: str
    decided_by: str | None = None
    decided_at: datetime | None = None
    posted_at: datetime | None = None

    @property
    def id(self) -> str:
        """What decisions call it."""
        return f"{self.programme}/{self.number}"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "programme": self.programme,
            "number": self.number,
            "state": self.state,
            "revision": self.revision,
            "label": self.label,
            "digest": self.digest,
            "from": self.from_day.isoformat(),
            "to": None if self.to_day is None else self.to_day.isoformat(),
            "events": self.events,
            "proposed_by": self.proposed_by,
            "proposed_at": told(self.proposed_at),
            "note": self.note,
            "decided_by": self.decided_by,
            "decided_at": told(self.decided_at),
            "posted_at": told(self.posted_at),
        }


async def list_restatements(postgres: str, programme: str | None = None) -> list[Restatement]:
    """All restatements of one programme, or of all, oldest first within a programme."""
    async with connect(postgres) as connection:
        return await fetch(connection, programme)


async def show_restatement(postgres: str, programme: str, number: int) -> Restatement:
    """Raises PermanentError(`unknown-restatement`)."""
    async with connect(postgres) as connection:
        return await fetch_one(connection, programme, number)


async def restated_partners(postgres: str, programme: str, number: int) -> list[dict[str, Any]]:
    """What it pays to whom in all: rows of beneficiary, unit, decimals and amount_minor, the largest first."""
    async with connect(postgres) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT partner, beneficiary, unit, max(decimals) AS decimals, sum(amount_minor)::bigint AS amount_minor,"
            " count(*) AS decisions FROM rules.restatement_lines WHERE programme = %s AND number = %s"
            " GROUP BY partner, beneficiary, unit ORDER BY abs(sum(amount_minor)) DESC, partner, beneficiary, unit",
            (programme, number),
        )
        return await cursor.fetchall()


async def restated_lines(
    postgres: str, programme: str, number: int, *, after: int = 0, rows_max: int = LINES_SHOWN_MAX
) -> list[dict[str, Any]]:
    """Its lines, decision by decision, from the one after that line on."""
    async with connect(postgres) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT line, decision_id::text AS decision, partner, rule, beneficiary, unit, decimals, event_at,"
            " event_source, event_id, paid_minor, due_minor, amount_minor FROM rules.restatement_lines"
            " WHERE programme = %s AND number = %s AND line > %s ORDER BY line LIMIT %s",
            (programme, number, after, rows_max),
        )
        return [row | {"event_at": told(row["event_at"])} for row in await cursor.fetchall()]


async def fetch(
    connection: Connection, programme: str | None, number: int | None = None, state: State | None = None
) -> list[Restatement]:
    async with connection.cursor(row_factory=class_row(Restatement)) as cursor:
        await cursor.execute(_SELECT, {"programme": programme, "number": number, "state": state})
        return await cursor.fetchall()


async def fetch_one(connection: Connection, programme: str, number: int) -> Restatement:
    """Raises PermanentError(`unknown-restatement`)."""
    found = await fetch(connection, programme, number)
    if not found:
        raise PermanentError(
            Problem(
                code="unknown-restatement",
                message=f"{programme} has no restatement {number}",
                where=f"{programme}/{number}",
                help=f"goodword rules restatement list {programme}",
            )
        )
    return found[0]


async def count_posted(connection: Connection, programme: str) -> int:
    cursor = await connection.execute(
        "SELECT count(*) FROM rules.restatements WHERE programme = %s AND state IN ('approved', 'posted')", (programme,)
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])
