"""Why: from a transfer, a decision or an event to everything that was decided and posted, cents and zeroes alike.

Three index look-ups and the unpacking of the few blobs that hold the decisions; independent of the ledger's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal
from uuid import UUID

import psycopg
from typing_extensions import TypedDict

from contracts.decisions import Decision
from contracts.events import format_time, time_ms_of
from contracts.facts import LEDGER_SOURCE
from contracts.ids import event_hash, transfer_id
from services.rewards.archive import unpack
from services.rewards.legs import STAGE_GRANTED, STAGES
from services.rewards.reads.connect import Source, reading
from services.rewards.reads.drawn import Drawn, drawn_from
from services.rewards.reads.transfers import Transfer, transfer_of

SOURCES_MAX: Final = 10_000
"""Senders that an event id without its source is looked up for."""

_TRANSFERS: Final = (
    "SELECT t.id, t.group_id, t.decision_id, d.address AS debit, c.address AS credit, t.amount_minor, t.unit, t.stage,"
    " t.programme, t.rule, t.revision, t.partner, t.event_source, t.event_id, t.event_at, t.posted_at,"
    " t.news_at,"
    " t.customer, t.deal, t.lead, t.reason, t.booked_by"
    " FROM rewards.transfers t"
    " JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id"
)

Cursor = psycopg.Cursor[dict[str, Any]]
Event = tuple[str, str]
"""Source and id."""


class Refusal(TypedDict):
    """A posting that the ledger would not take, and still will not."""

    transfer: str
    reason: str
    message: str
    refused_at: str


class Conflict(TypedDict):
    """A transfer id that came again with other data: `fields` differ between `stored`, which holds, and `received`."""

    transfer: str
    fields: list[str]
    stored: dict[str, Any]
    received: dict[str, Any]
    seen_at: str


class Course(TypedDict):
    """What the ledger made of a decision whose posting depends on what it holds.

    `state` is `posted`, `waiting`, `denied` (a budget is spent) or `refused`; `reason` says why, or what was left out.
    """

    decision: str
    state: str
    reason: str
    unit: str
    granted_minor: int
    pending_minor: int
    taken_minor: int
    expired_minor: int
    available_at: str | None
    expires_at: str | None
    takes_back: str | None


class Explanation(TypedDict):
    """Everything about what was asked. A decision is all fields of `contracts.decisions.Decision`."""

    asked: str
    found_as: Literal["transfer", "decision", "event"]
    transfers: list[Transfer]
    decisions: list[dict[str, Any]]
    courses: list[Course]
    refusals: list[Refusal]
    conflicts: list[Conflict]
    drawn: list[Drawn]


def explain(postgres: Source, reference: str) -> Explanation | None:
    """What became of it, or None when the ledger knows nothing of it (decisions may arrive a moment after transfers).

    Args:
        postgres: URL or connection.
        reference: A transfer's id, a decision's id, or an event: `source id`, `source/id`, or the id alone.
    """
    with reading(postgres) as cursor:
        id = _uuid(reference)
        if id is not None:
            found = _of_transfer(cursor, reference, id) or _of_decision(cursor, reference, id)
            if found is not None:
                return found
        return _of_event(cursor, reference)


def _of_transfer(cursor: Cursor, reference: str, id: UUID) -> Explanation | None:
    transfers = [transfer_of(row) for row in cursor.execute(_TRANSFERS + " WHERE t.id = %s", (id,))]
    if transfers:
        decisions = _decisions_by_id(cursor, [UUID(transfer["decision"]) for transfer in transfers])
        return _explanation(cursor, reference, "transfer", transfers, decisions)
    refusals = _refusals(cursor, [id])
    if refusals:
        return _explanation(cursor, reference, "transfer", [], [], refused=[id])
    return None


def _of_decision(cursor: Cursor, reference: str, id: UUID) -> Explanation | None:
    decisions = _decisions_by_id(cursor, [id])
    transfer = UUID(transfer_id(str(id), STAGE_GRANTED))
    rows = cursor.execute(_TRANSFERS + " WHERE t.id = ANY (%s)", (_legs(cursor, [id]),)).fetchall()
    own = next((row for row in rows if row["event_source"] == LEDGER_SOURCE), None)
    if own is not None:
        # What the ledger or a person did has more stages, each under the same event.
        rows = _rows_of_events(cursor, [(own["event_source"], own["event_id"])])
    transfers = _in_order(rows)
    if not decisions and not transfers:
        return None
    # Those that took from it have a say as well.
    others = {UUID(one["decision"]) for one in transfers} - {id}
    decisions += _decisions_by_id(cursor, sorted(others))
    return _explanation(cursor, reference, "decision", transfers, decisions, refused=[transfer])


def _legs(cursor: Cursor, decisions: Sequence[UUID]) -> list[str]:
    """The ids that transfers of decisions, and of what takes back from them, have: they are derived, so no index is."""
    cursor.execute(
        "SELECT decision_id::text AS decision,"
        " greatest(legs, jsonb_array_length(coalesce(head::jsonb -> 'budgets', '[]'))) AS legs"
        " FROM rewards.lives WHERE decision_id = ANY (%(ids)s) OR takes_back = ANY (%(ids)s)",
        {"ids": list(decisions)},
    )
    parts = {str(decision): 1 for decision in decisions} | {row["decision"]: max(row["legs"], 1) for row in cursor}
    return [transfer_id(one, stage, part) for one, count in parts.items() for stage in STAGES for part in range(count)]


def _of_event(cursor: Cursor, reference: str) -> Explanation | None:
    events = _events(cursor, reference)
    wanted = set(events)
    rows = _rows_of_events(cursor, events)
    cursor.execute(
        "SELECT id, blob_id, position FROM rewards.decisions WHERE event_hash = ANY (%s)",
        ([event_hash(source, id) for source, id in events],),
    )
    decisions = [d for d in _decisions(cursor, cursor.fetchall()) if (d.event_source, d.event_id) in wanted]
    if not decisions and not rows:
        return None
    # What later events took back from it is its money too.
    of_event = {UUID(decision.id) for decision in decisions} | {row["decision_id"] for row in rows}
    known = {row["id"] for row in rows}
    later = cursor.execute(_TRANSFERS + " WHERE t.id = ANY (%s)", (_legs(cursor, sorted(of_event)),)).fetchall()
    rows += [row for row in later if row["id"] not in known]
    decisions += _decisions_by_id(cursor, sorted({row["decision_id"] for row in rows} - of_event))
    transfers = _in_order(rows)
    refused = [UUID(transfer_id(decision.id, STAGE_GRANTED)) for decision in decisions if decision.granted]
    return _explanation(cursor, reference, "event", transfers, decisions, refused=refused)


def _rows_of_events(cursor: Cursor, events: Sequence[Event]) -> list[dict[str, Any]]:
    hashes = [event_hash(source, id) for source, id in events]
    wanted = set(events)
    rows = cursor.execute(_TRANSFERS + " WHERE t.event_hash = ANY (%s)", (hashes,)).fetchall()
    return [row for row in rows if (row["event_source"], row["event_id"]) in wanted]


def _in_order(rows: list[dict[str, Any]]) -> list[Transfer]:
    """As they were posted; in one posting, in the order of a life."""
    rows.sort(key=lambda row: (row["posted_at"], STAGES.index(row["stage"]), row["id"]))
    return [transfer_of(row) for row in rows]


def _events(cursor: Cursor, reference: str) -> list[Event]:
    """What the text may mean: both parts may hold slashes, so every slash is tried."""
    source, space, id = reference.partition(" ")
    if space:
        return [(source, id)]
    slashes = [place for place, character in enumerate(reference) if character == "/"]
    events = [(reference[:place], reference[place + 1 :]) for place in slashes]
    cursor.execute("SELECT source FROM rewards.event_sources ORDER BY source LIMIT %s", (SOURCES_MAX,))
    # What no event is behind was never archived: `payout/…`, `write-off/…`.
    return [*events, (LEDGER_SOURCE, reference), *((row["source"], reference) for row in cursor)]


def _decisions_by_id(cursor: Cursor, ids: list[UUID]) -> list[Decision]:
    cursor.execute("SELECT id, blob_id, position FROM rewards.decisions WHERE id = ANY (%s)", (ids,))
    return _decisions(cursor, cursor.fetchall())


def _decisions(cursor: Cursor, rows: list[dict[str, Any]]) -> list[Decision]:
    """In the order in which they were decided."""
    blobs = {row["blob_id"] for row in rows}
    cursor.execute(
        "SELECT id, format, body FROM rewards.decision_blobs WHERE id = ANY (%s)", (list(blobs),), binary=True
    )
    unpacked = {row["id"]: unpack(row["format"], row["body"]) for row in cursor}
    return [
        unpacked[row["blob_id"]][row["position"]] for row in sorted(rows, key=lambda r: (r["blob_id"], r["position"]))
    ]


def _explanation(
    cursor: Cursor,
    asked: str,
    found_as: Literal["transfer", "decision", "event"],
    transfers: list[Transfer],
    decisions: list[Decision],
    *,
    refused: list[UUID] | None = None,
) -> Explanation:
    return Explanation(
        asked=asked,
        found_as=found_as,
        transfers=transfers,
        decisions=[_shown(decision) for decision in decisions],
        courses=_courses(cursor, {transfer["decision"] for transfer in transfers} | {one.id for one in decisions}),
        refusals=_refusals(cursor, refused or []),
        conflicts=_conflicts(cursor, [UUID(transfer["id"]) for transfer in transfers]),
        drawn=drawn_from(cursor, transfers),
    )


def _shown(decision: Decision) -> dict[str, Any]:
    """All fields by name, also those that the bus leaves out, the trace as objects, and the event's time as text."""
    shown = {name: getattr(decision, name) for name in decision.__struct_fields__}
    shown["trace"] = [{name: getattr(line, name) for name in line.__struct_fields__} for line in decision.trace]
    shown["budgets"] = [{name: getattr(each, name) for name in each.__struct_fields__} for each in decision.budgets]
    shown["event_at"] = format_time(decision.time_ms)
    return shown


def _courses(cursor: Cursor, decisions: set[str]) -> list[Course]:
    cursor.execute(
        "SELECT decision_id::text AS decision, state, reason, unit, granted_minor, pending_minor, taken_minor,"
        " expired_minor, available_at_ms, expires_at_ms, takes_back::text"
        " FROM rewards.lives WHERE decision_id = ANY (%s::uuid[]) ORDER BY decision_id",
        (sorted(decisions),),
    )
    return [
        Course(
            decision=row["decision"],
            state=row["state"],
            reason=row["reason"],
            unit=row["unit"],
            granted_minor=row["granted_minor"],
            pending_minor=row["pending_minor"],
            taken_minor=row["taken_minor"],
            expired_minor=row["expired_minor"],
            available_at=None if row["available_at_ms"] is None else format_time(row["available_at_ms"]),
            expires_at=None if row["expires_at_ms"] is None else format_time(row["expires_at_ms"]),
            takes_back=row["takes_back"],
        )
        for row in cursor
    ]


def _refusals(cursor: Cursor, ids: list[UUID]) -> list[Refusal]:
    cursor.execute(
        "SELECT id, reason, message, refused_at FROM rewards.refusals WHERE id = ANY (%s) ORDER BY id", (ids,)
    )
    return [
        Refusal(
            transfer=str(row["id"]),
            reason=row["reason"],
            message=row["message"],
            refused_at=format_time(time_ms_of(row["refused_at"])),
        )
        for row in cursor
    ]


def _conflicts(cursor: Cursor, ids: list[UUID]) -> list[Conflict]:
    cursor.execute(
        "SELECT transfer_id, fields, stored, received, seen_at FROM rewards.conflicts"
        " WHERE transfer_id = ANY (%s) ORDER BY transfer_id, seen_at, digest",
        (ids,),
    )
    return [
        Conflict(
            transfer=str(row["transfer_id"]),
            fields=row["fields"],
            stored=row["stored"],
            received=row["received"],
            seen_at=format_time(time_ms_of(row["seen_at"])),
        )
        for row in cursor
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
