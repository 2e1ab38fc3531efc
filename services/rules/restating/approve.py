"""Somebody other than who proposed it approves a restatement, which posts it, or rejects it, which ends it."""

from __future__ import annotations

from typing import Literal

from contracts.errors import PermanentError, Problem
from runtime.database import Connection
from runtime.people import checked_who, is_same_person
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.record import moment
from services.rules.restating.post import finish_posting
from services.rules.restating.record import Restatement, count_posted, fetch_one


async def approve_restatement(desk: Desk, programme: str, number: int, *, who: str, note: str = "") -> Restatement:
    """Approve it and post its decisions. One that is approved already, by a crash in between, is posted.

    Raises:
        PermanentError: `unknown-restatement`, `not-now`, `own-restatement`, `stale-restatement`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        finished = await finish_posting(connection, programme, desk.bus, desk.clock)
        if finished is not None and finished.number == number:
            return finished
        found = await _open(connection, programme, number, "approved")
        if is_same_person(who, found.proposed_by):
            raise PermanentError(
                Problem(
                    code="own-restatement",
                    message=f"{found.proposed_by} has proposed it, so somebody else is to approve it",
                    where=found.id,
                )
            )
        if found.follows != await count_posted(connection, programme):
            raise PermanentError(
                Problem(
                    code="stale-restatement",
                    message="another restatement was posted since it was proposed, so its amounts are no longer right",
                    where=found.id,
                    help="reject it, and propose it again",
                )
            )
        await _decide(connection, desk, found, "approved", who, note)
        posted = await finish_posting(connection, programme, desk.bus, desk.clock)
        return posted or await fetch_one(connection, programme, number)


async def reject_restatement(desk: Desk, programme: str, number: int, *, who: str, note: str = "") -> Restatement:
    """End a proposed restatement; also its own proposer may.

    Raises:
        PermanentError: `unknown-restatement`, `not-now`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        found = await _open(connection, programme, number, "rejected")
        await _decide(connection, desk, found, "rejected", who, note)
        return await fetch_one(connection, programme, number)


async def _open(connection: Connection, programme: str, number: int, wanted: str) -> Restatement:
    found = await fetch_one(connection, programme, number)
    if found.state != "proposed":
        raise PermanentError(
            Problem(code="not-now", message=f"it is {found.state}, and can no longer be {wanted}", where=found.id)
        )
    return found


async def _decide(
    connection: Connection, desk: Desk, found: Restatement, state: Literal["approved", "rejected"], who: str, note: str
) -> None:
    now_ms = desk.clock.now_ms()
    async with connection.transaction():
        await connection.execute(
            "UPDATE rules.restatements SET state = %s, decided_by = %s, decided_at = %s"
            " WHERE programme = %s AND number = %s",
            (state, who, moment(now_ms), found.programme, found.number),
        )
        await note_in_audit(
            connection, f"restatement {state}", at_ms=now_ms, who=who, note=note, details={"restatement": found.id}
        )
