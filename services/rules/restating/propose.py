"""Somebody proposes to correct the past: what is to be paid or taken back is worked out and stored; no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Final

import msgspec

from contracts.decisions import Decision, decode_decision, encode_decision
from contracts.errors import PermanentError, Problem
from runtime.database import Connection
from runtime.people import checked_who
from services.rules.backtest.lines import Line, LineKey
from services.rules.lifecycle.audit import note_in_audit
from services.rules.lifecycle.desk import Desk, checked_note
from services.rules.lifecycle.record import moment
from services.rules.restating.adjusting import Adjustment, Posted, adjusting_decision, adjustments
from services.rules.restating.post import finish_posting
from services.rules.restating.record import Restatement, count_posted, fetch_one

ROWS_MAX: Final = 1_000
"""Lines of one statement."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What is proposed.

    Attributes:
        revision: The published revision, or None for rules that were not published; `label` names either.
        first_ms, end_ms: The instants where the days begin and have ended; None: to the end.
        lines: Where these rules would have granted something else than the log did; `events` were replayed.
    """

    programme: str
    revision: int | None
    label: str
    digest: str
    source_text: str
    from_day: date
    to_day: date | None
    first_ms: int
    end_ms: int | None
    events: int
    lines: list[Line]


async def propose_restatement(desk: Desk, asked: Proposal, *, who: str, note: str = "") -> Restatement | None:
    """Store it; None, and nothing is stored, where everything has been paid as these rules say.

    Raises:
        PermanentError: `nobody`, `name-too-long`, `note-too-long`.
    """
    who, note = checked_who(who), checked_note(note)
    async with desk.at_programme(asked.programme) as connection:
        await finish_posting(connection, asked.programme, desk.bus, desk.clock)
        posted = [each async for each in _posted_before(connection, asked)]
        found = adjustments(asked.lines, posted)
        if not found:
            return None
        follows = await count_posted(connection, asked.programme)
        async with connection.transaction():
            number = await _store(connection, asked, follows, who, note, desk.clock.now_ms())
            decided = {line.key: line.before_minor for line in asked.lines}
            decided |= {each.key: each.decided_minor for each in posted}
            await _store_lines(connection, asked, number, found, decided)
            await note_in_audit(
                connection,
                "restatement proposed",
                at_ms=desk.clock.now_ms(),
                who=who,
                note=note,
                details={"restatement": f"{asked.programme}/{number}", "lines": len(found), "rules": asked.label},
            )
        return await fetch_one(connection, asked.programme, number)


async def _posted_before(connection: Connection, asked: Proposal) -> AsyncIterator[Posted]:
    """What earlier restatements have posted for events of these days, in the order of their posting."""
    cursor = connection.cursor()
    await cursor.execute(
        """
        SELECT l.event_source, l.event_id, l.rule, l.beneficiary, l.occasion, l.unit, l.amount_minor, l.decided_minor,
               l.decision
        FROM rules.restatement_lines l JOIN rules.restatements r USING (programme, number)
        WHERE l.programme = %(programme)s AND r.state = 'posted' AND l.event_at >= %(first)s
          AND (%(end)s::timestamptz IS NULL OR l.event_at < %(end)s)
        ORDER BY l.number, l.line
        """,
        {
            "programme": asked.programme,
            "first": moment(asked.first_ms),
            "end": None if asked.end_ms is None else moment(asked.end_ms),
        },
    )
    async for source, event_id, rule, beneficiary, occasion, unit, amount_minor, decided_minor, decision in cursor:
        key = LineKey(source, event_id, rule, beneficiary, occasion, unit)
        yield Posted(key, amount_minor, decided_minor, decode_decision(bytes(decision)))


async def _store(connection: Connection, asked: Proposal, follows: int, who: str, note: str, now_ms: int) -> int:
    cursor = await connection.execute(
        """
        INSERT INTO rules.restatements (programme, number, revision, label, digest, source_text, from_day, to_day,
                                        follows, events, state, proposed_by, proposed_at, note)
        SELECT %(programme)s, coalesce(max(number), 0) + 1, %(revision)s, %(label)s, %(digest)s, %(source_text)s,
               %(from_day)s, %(to_day)s, %(follows)s, %(events)s, 'proposed', %(who)s, %(at)s, %(note)s
        FROM rules.restatements WHERE programme = %(programme)s
        RETURNING number
        """,
        {
            "programme": asked.programme,
            "revision": asked.revision,
            "label": asked.label,
            "digest": asked.digest,
            "source_text": asked.source_text,
            "from_day": asked.from_day,
            "to_day": asked.to_day,
            "follows": follows,
            "events": asked.events,
            "who": who,
            "at": moment(now_ms),
            "note": note,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise PermanentError(Problem(code="not-stored", message="the restatement was not stored"))
    return int(row[0])


async def _store_lines(
    connection: Connection, asked: Proposal, number: int, found: list[Adjustment], decided: dict[LineKey, int]
) -> None:
    rows = []
    for line, each in enumerate(found, 1):
        decision: Decision = adjusting_decision(
            each, restatement=f"{asked.programme}/{number}", revision=asked.revision or 0
        )
        key = each.key
        rows.append(
            (
                asked.programme, number, line, decision.id, decision.partner, key.rule, key.beneficiary, key.unit,
                decision.decimals, moment(decision.time_ms), key.event_source, key.event_id, key.occasion,
                decided[key], each.paid_minor, each.due_minor, each.amount_minor, encode_decision(decision),
            )
        )  # fmt: skip
    cursor = connection.cursor()
    for first in range(0, len(rows), ROWS_MAX):
        await cursor.executemany(
            "INSERT INTO rules.restatement_lines (programme, number, line, decision_id, partner, rule, beneficiary,"
            " unit, decimals, event_at, event_source, event_id, occasion, decided_minor, paid_minor, due_minor,"
            " amount_minor, decision)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows[first : first + ROWS_MAX],
        )
