"""Which drafts were back-tested against which revision: recorded when a back-test ends, asked by the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from runtime.database import Connection
from services.rules.lifecycle.connect import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One finished back-test.

    Attributes:
        digest: Of the draft's text (`services.rules.language.digest_of`); it need not have been submitted.
        against_revision: What it was compared with; None where nothing was in force.
        summary: What came out, as the one who made it wants to show it: JSON.
        by: Who ran it.
    """

    programme: str
    digest: str
    against_revision: int | None
    finished_at: datetime
    summary: Mapping[str, Any]
    by: str


async def record_backtest(postgres: str, backtest: Backtest) -> None:
    """Keep it. The schema `rules` of the database behind the URL is migrated."""
    async with connect(postgres) as connection:
        await connection.execute(
            "INSERT INTO rules.backtests (programme, digest, against_revision, finished_at, summary, by)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (
                backtest.programme,
                backtest.digest,
                backtest.against_revision,
                backtest.finished_at,
                Jsonb(dict(backtest.summary)),
                backtest.by,
            ),
        )


async def backtest_of(
    connection: Connection, programme: str, digest: str, against_revision: int | None
) -> Backtest | None:
    """The newest back-test of this text against that revision; None when there was none."""
    async with connection.cursor(row_factory=class_row(Backtest)) as cursor:
        await cursor.execute(
            "SELECT programme, digest, against_revision, finished_at, summary, by FROM rules.backtests"
            " WHERE programme = %s AND digest = %s AND against_revision IS NOT DISTINCT FROM %s::integer"
            " ORDER BY number DESC LIMIT 1",
            (programme, digest, against_revision),
        )
        return await cursor.fetchone()
