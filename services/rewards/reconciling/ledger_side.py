"""Transfers and what is known of decisions, as streams in the order of decisions: the server sorts, memory is flat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, LiteralString

from contracts.events import time_ms_of
from contracts.ids import transfer_id, uuid_text
from services.rewards.legs import STAGE_ADJUSTED, STAGE_GRANTED
from services.rewards.reads.connect import Connection
from services.rewards.reconciling.log_side import Span
from services.rewards.reconciling.row import Known, Row

FETCH_ROWS: Final = 5_000
_ID_MAX: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_TRANSFERS: Final[LiteralString] = (
    "SELECT t.id::text, t.decision_id::text, t.stage, d.address, c.address, t.amount_minor, t.unit, t.programme,"
    " t.rule, t.revision, t.partner, t.event_source, t.event_id, t.event_at, t.customer, t.deal, t.lead,"
    " t.available_at, t.expires_at, t.takes_back::text, t.booked_by"
    " FROM rewards.transfers t"
    " JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id"
    " WHERE t.id >= %s AND t.id <= %s ORDER BY t.decision_id, t.id"
)
_KNOWN: Final[LiteralString] = (
    "SELECT decision_id::text, state, beneficiary, unit, granted_minor, pending_minor, taken_minor, expired_minor,"
    " legs, available_at_ms, expires_at_ms, takes_back::text, reason, head IS NOT NULL"
    " FROM rewards.lives WHERE decision_id >= %s AND decision_id <= %s ORDER BY decision_id"
)


def prepare(ledger: Connection) -> None:
    """What these long questions want of the server."""
    ledger.execute("SET LOCAL cursor_tuple_fraction = 1.0")
    ledger.execute("SET LOCAL work_mem = '64MB'")
    ledger.execute("SET LOCAL jit = off")


def transfers_of(ledger: Connection, span: Span) -> Iterator[Row]:
    """Transfers of decisions on events of the span, by decision."""
    with ledger.cursor(name="reconcile_transfers") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(_TRANSFERS, _bounds(span))
        for row in cursor:
            yield _row(row)


def known_of(ledger: Connection, span: Span) -> Iterator[Known]:
    """What is known of decisions on events of the span, by decision."""
    with ledger.cursor(name="reconcile_lives") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(_KNOWN, _bounds(span))
        for row in cursor:
            yield Known(**dict(zip(Known.__struct_fields__, row, strict=True)))


def is_refused(ledger: Connection, decision: str) -> bool:
    """Whether the refusal of a decision's posting is stored."""
    ids = [transfer_id(decision, stage) for stage in (STAGE_GRANTED, STAGE_ADJUSTED)]
    with ledger.cursor() as cursor:
        cursor.execute("SELECT 1 FROM rewards.refusals WHERE id = ANY (%s::uuid[]) LIMIT 1", (ids,))
        return cursor.fetchone() is not None


def _bounds(span: Span) -> tuple[str, str]:
    """Ids begin with the event's time: those of a decision and of all its transfers alike."""
    first = uuid_text(span.start_ms, "0" * 64)[:13] + "-0000-0000-000000000000" if span.start_ms else _ID_MAX[:0]
    last = uuid_text(span.end_ms - 1, "f" * 64)[:13] + "-ffff-ffff-ffffffffffff" if span.end_ms else _ID_MAX
    return first or "00000000-0000-0000-0000-000000000000", last


def _row(row: tuple[Any, ...]) -> Row:
    (*first, event_at, customer, deal, lead, available_at, expires_at, takes_back, booked_by) = row
    times = [None if at is None else time_ms_of(at) for at in (available_at, expires_at)]
    fields = (*first, time_ms_of(event_at), customer, deal, lead, *times, takes_back, booked_by)
    return Row(*fields)
