"""Somebody other than the author approves a tested revision, or rejects it."""

from __future__ import annotations

from contracts.errors import PermanentError, Problem
from runtime.people import checked_who, is_same_person
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.gate import stale_problem
from services.rules.lifecycle.record import Revision, fetch_active, fetch_one, moment, set_state
from services.rules.lifecycle.states import moved


async def approve(desk: Desk, programme: str, revision: int, *, who: str, note: str = "") -> Revision:
    """Approve it; nothing is activated by that.

    Raises:
        PermanentError: `unknown-revision`, `not-now`, `own-draft`, `stale-draft`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        found = await fetch_one(connection, programme, revision)
        state = moved(programme, revision, found.state, "approve")
        if is_same_person(who, found.author):
            raise PermanentError(
                Problem(
                    code="own-draft",
                    message=f"{found.author} has submitted revision {revision}, so somebody else is to approve it",
                    where=f"{programme}/{revision}",
                )
            )
        active = await fetch_active(connection, programme)
        active_number = None if active is None else active.revision
        if found.base_revision != active_number:
            raise PermanentError(stale_problem(found, active_number))
        now_ms = desk.clock.now_ms()
        async with connection.transaction():
            await connection.execute(
                "UPDATE rules.revisions SET state = %s, approved_by = %s, approved_at = %s"
                " WHERE programme = %s AND revision = %s",
                (state, who, moment(now_ms), programme, revision),
            )
            await note_in_audit(connection, "approved", at_ms=now_ms, who=who, revision=found, note=note)
        return await fetch_one(connection, programme, revision)


async def reject(desk: Desk, programme: str, revision: int, *, who: str, note: str = "") -> Revision:
    """End an open revision; its author may take it back by `withdraw` instead.

    Raises:
        PermanentError: `unknown-revision`, `not-now`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        found = await fetch_one(connection, programme, revision)
        state = moved(programme, revision, found.state, "reject")
        async with connection.transaction():
            await set_state(connection, found, state)
            await note_in_audit(connection, "rejected", at_ms=desk.clock.now_ms(), who=who, revision=found, note=note)
        return await fetch_one(connection, programme, revision)
