"""A revision is taken back: an open one ends; a canary ends by an activation that puts everybody under its base."""

from __future__ import annotations

from contracts.errors import InvariantBroken
from runtime.people import checked_who
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.broadcast import finish_pending, record_activation
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.record import Revision, fetch_active, fetch_one, set_state
from services.rules.lifecycle.states import moved


async def withdraw(desk: Desk, programme: str, revision: int, *, who: str, note: str = "") -> Revision:
    """Raises PermanentError(`unknown-revision`, `not-now`)."""
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(programme) as connection:
        found = await fetch_one(connection, programme, revision)
        now_ms = desk.clock.now_ms()
        if found.state != "canary":
            state = moved(programme, revision, found.state, "withdraw")
            async with connection.transaction():
                await set_state(connection, found, state)
                await note_in_audit(connection, "withdrawn", at_ms=now_ms, who=who, revision=found, note=note)
            return await fetch_one(connection, programme, revision)
        base = await fetch_active(connection, programme)
        if base is None:
            raise InvariantBroken(f"{programme} has a canary and nothing active")
        async with connection.transaction():
            await record_activation(connection, base, "end", effective_from_ms=now_ms, now_ms=now_ms, who=who)
            await note_in_audit(
                connection,
                "withdrawn",
                at_ms=now_ms,
                who=who,
                revision=found,
                note=note,
                details={"canary": found.canary, "everybody_is_under": base.revision},
            )
        await finish_pending(connection, programme, desk.bus, desk.clock)
        return await fetch_one(connection, programme, revision)
