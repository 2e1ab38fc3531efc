"""Who did what to payees, plans and runs: rows are added and never changed, refused by the role and by a trigger."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from runtime.database import Connection

ROWS_MAX: Final = 1_000


class AuditRow(TypedDict):
    """One thing that somebody did."""

    number: int
    at_ms: int
    who: str
    action: str
    subject: str
    details: dict[str, Any]


async def note(
    connection: Connection, action: str, subject: str, *, who: str, at_ms: int, details: dict[str, Any]
) -> None:
    """As a part of the transaction that does it. Account numbers come masked."""
    await connection.execute(
        "INSERT INTO rewards.payout_audit (at_ms, who, action, subject, details) VALUES (%s, %s, %s, %s, %s)",
        (at_ms, who, action, subject, Jsonb(details)),
    )


async def list_audit(
    connection: Connection, subject: str | None = None, *, before: int | None = None, count_max: int
) -> list[AuditRow]:
    """The newest first, about one subject or all; only those before the row of this number."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT number, at_ms, who, action, subject, details FROM rewards.payout_audit"
            " WHERE subject = coalesce(%s, subject) AND number < coalesce(%s, number + 1)"
            " ORDER BY number DESC LIMIT %s",
            (subject, before, count_max),
        )
        return [AuditRow(**row) for row in await cursor.fetchall()]  # type: ignore[typeddict-item]  # dict_row


async def audit_of(connection: Connection, subject: str) -> list[AuditRow]:
    """The newest rows about one subject (a beneficiary, a plan's `programme/currency`, a run's id), oldest first."""
    return (await list_audit(connection, subject, count_max=ROWS_MAX))[::-1]
