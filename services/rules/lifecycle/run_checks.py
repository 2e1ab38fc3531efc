"""A stored revision is tested: its own tests and the second engine; then it is `tested`, or a draft again."""

from __future__ import annotations

from contracts.errors import Problem
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.desk import Desk
from services.rules.lifecycle.gate import Checked, check_text, problems_of
from services.rules.lifecycle.record import Revision, fetch_one, set_state
from services.rules.lifecycle.states import Step, moved


async def run_checks(desk: Desk, programme: str, revision: int, *, who: str) -> tuple[Revision, Checked, list[Problem]]:
    """Returns the revision as it is then, what was found, and why it may not enter into force.

    Raises:
        RuleSetErrors: It was submitted by a version whose language this one no longer reads.
        PermanentError: `unknown-revision`, `not-now`.
    """
    who = checked_who(who)
    async with desk.at_programme(programme) as connection:
        found = await fetch_one(connection, programme, revision)
        moved(programme, revision, found.state, "pass its tests")
        checked = await check_text(desk, found.source_text, found.path)
        async with connection.transaction():
            after = await note_checks(connection, found, checked, who=who, now_ms=desk.clock.now_ms())
        return after, checked, problems_of(checked)


async def note_checks(
    connection: Connection, revision: Revision, checked: Checked, *, who: str, now_ms: int
) -> Revision:
    """The state that the checks lead to, in the table and in the audit log; in a transaction."""
    is_good = not problems_of(checked)
    step: Step = "pass its tests" if is_good else "fail its tests"
    await set_state(connection, revision, moved(revision.programme, revision.revision, revision.state, step))
    if not is_good:
        await connection.execute(
            "UPDATE rules.revisions SET approved_by = NULL, approved_at = NULL WHERE programme = %s AND revision = %s",
            (revision.programme, revision.revision),
        )
    await note_in_audit(
        connection,
        "tested" if is_good else "failed its tests",
        at_ms=now_ms,
        who=who,
        revision=revision,
        details=checked.as_json(),
    )
    return await fetch_one(connection, revision.programme, revision.revision)
