"""An approved restatement goes to the ledger: all of its decisions, each once whatever dies in between.

The state `approved` is stored first, then the decisions are published until they are durable, then it is `posted`. A
crash in between leaves `approved`; the next start of the service, or whoever works on the programme next, publishes the
same bytes under the same ids, which the ledger drops where it has them.
"""

from __future__ import annotations

from typing import Final

from contracts.decisions import decode_decision
from contracts.topics import DECISIONS
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.database import Connection
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.connect import connect, locked
from services.rules.lifecycle.record import moment
from services.rules.records.encode import decision_record
from services.rules.restating.record import Restatement, fetch, fetch_one

RECORDS_MAX: Final = 2_000
"""Decisions of one publish."""


async def resume_restating(postgres: str, *, bus: Bus, clock: Clock) -> list[Restatement]:
    """Finish what a crash left half posted; called when the service starts. Returns what was finished."""
    async with connect(postgres) as connection:
        programmes = sorted({each.programme for each in await fetch(connection, None, state="approved")})
    finished: list[Restatement] = []
    for programme in programmes:
        async with locked(postgres, programme) as connection:
            done = await finish_posting(connection, programme, bus, clock)
        finished += [done] if done is not None else []
    return finished


async def finish_posting(connection: Connection, programme: str, bus: Bus, clock: Clock) -> Restatement | None:
    """Post what is approved and was not posted yet, if anything. The connection holds the programme's lock."""
    approved = await fetch(connection, programme, state="approved")
    if not approved:
        return None
    (restatement,) = approved
    line = 0
    while True:
        cursor = await connection.execute(
            "SELECT line, decision FROM rules.restatement_lines WHERE programme = %s AND number = %s AND line > %s"
            " ORDER BY line LIMIT %s",
            (programme, restatement.number, line, RECORDS_MAX),
        )
        rows = await cursor.fetchall()
        if not rows:
            break
        await bus.publish(DECISIONS.name, [_record(bytes(value), clock.now_ms()) for _, value in rows])
        line = rows[-1][0]
    async with connection.transaction():
        await connection.execute(
            "UPDATE rules.restatements SET state = 'posted', posted_at = %s WHERE programme = %s AND number = %s",
            (moment(clock.now_ms()), programme, restatement.number),
        )
        await note_in_audit(
            connection,
            "restatement posted",
            at_ms=clock.now_ms(),
            who=restatement.decided_by or "",
            details={"restatement": restatement.id, "lines": line},
        )
    return await fetch_one(connection, programme, restatement.number)


def _record(value: bytes, now_ms: int) -> Record:
    return decision_record(decode_decision(value), value, now_ms)
