"""An earlier text comes back into force, as a new revision: what was published is never changed, also not its number.

It takes effect at once, whatever `effective_from` the text has, and ends a canary. Its tests must pass and the engines
agree; the approval and the back-test that the text had then stand.
"""

from __future__ import annotations

from contracts.errors import PermanentError, Problem
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.lifecycle.activate import enter
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.gate import GateRefused, check_text, gate
from services.rules.lifecycle.record import Revision, fetch, fetch_active, fetch_one
from services.rules.lifecycle.submit import draft_of, store_draft


async def rollback(desk: Desk, programme: str, *, who: str, to: int | None = None, note: str = "") -> Revision:
    """Activate the text of revision `to` (the one before the active one, when None) again, under a new number.

    Raises:
        GateRefused: With all reasons.
        RuleSetErrors: This version no longer reads the text.
        PermanentError: `unknown-revision`, `nothing-to-roll-back-to`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        target = await _target(connection, programme, to)
        checked = await check_text(desk, target.source_text, target.path)
        draft = await draft_of(
            connection,
            programme,
            target.source_text,
            target.path,
            who=who,
            note=note,
            now_ms=desk.clock.now_ms(),
            restores=target.revision,
        )
        if problems := await gate(desk, connection, draft, checked):
            raise GateRefused(problems, checked)
        async with connection.transaction():
            stored = await store_draft(connection, draft)
        return await enter(desk, connection, stored, checked, who=who, note=note, action="rolled back")


async def _target(connection: Connection, programme: str, to: int | None) -> Revision:
    active = await fetch_active(connection, programme)
    if to is None:
        # After a rollback, what was rolled back is not what comes before.
        before = 0 if active is None else active.restores_revision or active.revision
        earlier = [each for each in await fetch(connection, programme, "superseded") if each.revision < before]
        if not earlier:
            raise _nothing(programme, f"{programme} has no revision before the active one")
        return earlier[-1]
    target = await fetch_one(connection, programme, to)
    if target.state != "superseded":
        raise _nothing(programme, f"revision {to} of {programme} is {target.state}: it was never in force, or still is")
    return target


def _nothing(programme: str, message: str) -> PermanentError:
    return PermanentError(
        Problem(
            code="nothing-to-roll-back-to",
            message=message,
            where=programme,
            help="`goodword rules list` shows the superseded ones, which can come back",
        )
    )
