"""Somebody starts a shadow, or ends it. One runs at a time, so that what shadows cost stays bounded."""

from __future__ import annotations

from typing import Final

from psycopg.errors import UniqueViolation

from contracts.errors import PermanentError, Problem
from contracts.topics import REFERRALS
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.lifecycle import Desk, note_in_audit
from services.rules.lifecycle.connect import connect
from services.rules.lifecycle.desk import checked_note
from services.rules.lifecycle.record import fetch_active, fetch_one, moment
from services.rules.shadowing.record import Shadow, fetch_newest, fetch_running, mark_over
from services.rules.shadowing.sampling import ALL_PPM

KEPT_MAX: Final = 20
"""Shadows whose differences are kept; older ones are forgotten when another one starts."""


async def start_shadow(
    desk: Desk, programme: str, revision: int, *, share_ppm: int, who: str, note: str = ""
) -> Shadow:
    """Let a stored revision be decided beside what is in force, from the events on that arrive from now on.

    Raises:
        PermanentError: `bad-share`, `unknown-revision`, `nothing-active`, `already-in-force`, `shadow-running`.
    """
    who, note = checked_who(who), checked_note(note)
    if not 0 < share_ppm <= ALL_PPM:
        message = "a shadow follows more than none and at most all of the partners"
        raise PermanentError(Problem(code="bad-share", message=message, where="share_ppm"))
    async with desk.at_programme(programme) as connection:
        draft = await fetch_one(connection, programme, revision)
        active = await fetch_active(connection, programme)
        if active is None:
            raise PermanentError(
                Problem(
                    code="nothing-active",
                    message=f"nothing is in force in {programme} that a draft could be compared with",
                    where=programme,
                    help="`goodword rules backtest` decides what has happened by a draft alone",
                )
            )
        if active.revision == revision:
            message = f"revision {revision} of {programme} is what is in force"
            raise PermanentError(Problem(code="already-in-force", message=message, where=f"{programme}/{revision}"))
        await _refuse_second(connection)
        ends = await desk.bus.end_offsets(REFERRALS.name)
        now = moment(desk.clock.now_ms())
        try:
            async with connection.transaction():
                cursor = await connection.execute(
                    "INSERT INTO rules.shadows (programme, revision, share_ppm, state, started_by, started_at)"
                    " VALUES (%s, %s, %s, 'running', %s, %s) RETURNING number",
                    (programme, revision, share_ppm, who, now),
                )
                row = await cursor.fetchone()
                assert row is not None
                await connection.execute(
                    "INSERT INTO rules.shadow_positions (number, partition, starts_at, next_offset)"
                    " SELECT %s, p, e, 0 FROM unnest(%s::integer[], %s::bigint[]) AS ends (p, e)",
                    (row[0], list(ends), list(ends.values())),
                )
                await connection.execute("DELETE FROM rules.shadows WHERE number <= %s", (row[0] - KEPT_MAX,))
                await note_in_audit(
                    connection,
                    "shadow started",
                    at_ms=desk.clock.now_ms(),
                    who=who,
                    revision=draft,
                    note=note,
                    details={"shadow": row[0], "share_ppm": share_ppm},
                )
        except UniqueViolation:
            # Of another programme, at the same moment.
            await _refuse_second(connection)
            raise
        found = await fetch_running(connection)
    assert found is not None
    return found


async def end_shadow(desk: Desk, *, who: str, note: str = "") -> Shadow:
    """End the one that runs; what differed stays to be read. Raises PermanentError(`no-shadow`)."""
    who, note = checked_who(who), checked_note(note)
    async with connect(desk.postgres) as connection:
        running = await fetch_running(connection)
        if running is not None:
            draft = await fetch_one(connection, running.programme, running.revision)
            now_ms = desk.clock.now_ms()
            async with connection.transaction():
                if await mark_over(connection, running.number, "ended", at=moment(now_ms), by=who):
                    await note_in_audit(
                        connection,
                        "shadow ended",
                        at_ms=now_ms,
                        who=who,
                        revision=draft,
                        note=note,
                        details={"shadow": running.number},
                    )
            ended = await fetch_newest(connection, running.programme)
            assert ended is not None
            return ended
    raise PermanentError(
        Problem(code="no-shadow", message="no shadow is running", help="`goodword rules shadow FILE` starts one")
    )


async def _refuse_second(connection: Connection) -> None:
    running = await fetch_running(connection)
    if running is not None:
        raise PermanentError(
            Problem(
                code="shadow-running",
                message=f"revision {running.revision} of {running.programme} is being shadowed; one runs at a time",
                where=f"{running.programme}/{running.revision}",
                help="`goodword rules shadow --off` ends it",
            )
        )
