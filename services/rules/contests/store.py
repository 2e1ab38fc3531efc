"""Standings and results in PostgreSQL: `rules.contest_…`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.events import time_ms_of
from runtime.database import Connection
from services.rules.contests.ranks import Ranked, Score
from services.rules.lifecycle.record import moment


async def next_offset(connection: Connection, partition: int) -> int:
    """Where the decisions of a partition are read on; locked until the caller's transaction ends."""
    await connection.execute(
        "INSERT INTO rules.contest_offsets (partition, next_offset) VALUES (%s, 0) ON CONFLICT DO NOTHING", (partition,)
    )
    cursor = await connection.execute(
        "SELECT next_offset FROM rules.contest_offsets WHERE partition = %s FOR UPDATE", (partition,)
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def offsets(connection: Connection) -> dict[int, int]:
    cursor = await connection.execute("SELECT partition, next_offset FROM rules.contest_offsets")
    return {int(partition): int(offset) for partition, offset in await cursor.fetchall()}


async def save(connection: Connection, partition: int, offset: int, scores: Sequence[Score]) -> None:
    """The numbers and the offset that they reach to; in one transaction of the caller's."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO rules.contest_scores (programme, contest, partner, value, unit, reached_at)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (programme, contest, partner) DO UPDATE SET"
            " value = EXCLUDED.value, unit = EXCLUDED.unit,"
            " reached_at = greatest(contest_scores.reached_at, EXCLUDED.reached_at)",
            [
                (each.programme, each.contest, each.partner, each.value, each.unit, moment(each.reached_ms))
                for each in scores
            ],
        )
        await cursor.execute(
            "UPDATE rules.contest_offsets SET next_offset = %s WHERE partition = %s", (offset, partition)
        )


async def scores_of(connection: Connection, programme: str, contest: str) -> list[Score]:
    cursor = await connection.execute(
        "SELECT partner, value, unit, reached_at FROM rules.contest_scores WHERE programme = %s AND contest = %s",
        (programme, contest),
    )
    return [
        Score(
            programme=programme,
            contest=contest,
            partner=partner,
            value=int(value),
            unit=unit,
            reached_ms=time_ms_of(reached_at),
        )
        for partner, value, unit, reached_at in await cursor.fetchall()
    ]


async def is_announced(connection: Connection, programme: str, contest: str) -> bool | None:
    """Whether the winners were told; None while the contest is not closed."""
    cursor = await connection.execute(
        "SELECT announced_at IS NOT NULL FROM rules.contests_closed WHERE programme = %s AND contest = %s",
        (programme, contest),
    )
    row = await cursor.fetchone()
    return None if row is None else bool(row[0])


async def close(
    connection: Connection, programme: str, contest: str, *, closed_ms: int, places: Sequence[Ranked]
) -> None:
    """Fix the ranks for good; in one transaction of the caller's."""
    await connection.execute(
        "INSERT INTO rules.contests_closed (programme, contest, closed_at, partners) VALUES (%s, %s, %s, %s)",
        (programme, contest, moment(closed_ms), len(places)),
    )
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO rules.contest_results (programme, contest, rank, partner, value, unit, reached_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (programme, contest, each.rank, each.partner, each.value, each.unit, moment(each.reached_ms))
                for each in places
            ],
        )


async def results_of(connection: Connection, programme: str, contest: str) -> tuple[int, list[Ranked]] | None:
    """When the contest closed, in milliseconds, and all ranks; None while it is not closed."""
    cursor = await connection.execute(
        "SELECT closed_at FROM rules.contests_closed WHERE programme = %s AND contest = %s", (programme, contest)
    )
    row: Any = await cursor.fetchone()
    if row is None:
        return None
    cursor = await connection.execute(
        "SELECT rank, partner, value, unit, reached_at FROM rules.contest_results"
        " WHERE programme = %s AND contest = %s ORDER BY rank",
        (programme, contest),
    )
    places = [
        Ranked(rank=rank, partner=partner, value=int(value), unit=unit, reached_ms=time_ms_of(reached_at))
        for rank, partner, value, unit, reached_at in await cursor.fetchall()
    ]
    return time_ms_of(row[0]), places


async def mark_announced(connection: Connection, programme: str, contest: str, now_ms: int) -> None:
    await connection.execute(
        "UPDATE rules.contests_closed SET announced_at = %s WHERE programme = %s AND contest = %s",
        (moment(now_ms), programme, contest),
    )
