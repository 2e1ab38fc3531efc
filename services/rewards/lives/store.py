"""Rows of `rewards.lives`: read and locked, added, changed; all of a batch in one statement each.

Whoever changes lives locks them first, in the order of their ids, and only then adds rows and posts; so nobody waits in
a circle. What is read here stays so until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, LiteralString

from psycopg.rows import DictRow, dict_row

from runtime.database import Connection
from services.rewards import packing
from services.rewards.legs import STAGE_GRANTED, granted_transfer_id
from services.rewards.lives.life import Life

_SELECT: Final[LiteralString] = (
    "SELECT decision_id::text AS decision, state, beneficiary, unit, granted_minor, pending_minor, taken_minor,"
    " lot_minor, expired_minor, is_announced, legs, available_at_ms, expires_at_ms, takes_back::text, waits_for::text,"
    " waits_for_budget, waiting_no, reason, head, traceparent FROM rewards.lives l"
)
_WHERE_RESUMABLE: Final[LiteralString] = (
    " WHERE state = 'waiting' AND decision_id <> ALL (%s)"
    " AND (EXISTS (SELECT FROM rewards.lives g WHERE g.decision_id = l.waits_for AND g.state <> 'waiting')"
    " OR EXISTS (SELECT FROM rewards.transfers t WHERE t.id = l.waits_for_transfer))"
    " ORDER BY decision_id LIMIT %s FOR UPDATE SKIP LOCKED"
)


async def lock_lives(connection: Connection, decisions: Collection[str]) -> dict[str, Life]:
    """The lives of decisions, where there are any."""
    rows = await fetch_lives(
        connection,
        " WHERE decision_id = ANY (%s) ORDER BY decision_id FOR UPDATE",
        (packing.uuids(sorted(decisions)),),
    )
    return {life.decision: life for life in rows}


async def read_lives(connection: Connection, decisions: Collection[str]) -> dict[str, Life]:
    """The same, not locked."""
    rows = await fetch_lives(connection, " WHERE decision_id = ANY (%s)", (packing.uuids(sorted(decisions)),))
    return {life.decision: life for life in rows}


async def lock_due(connection: Connection, *, now_ms: int, count_max: int, but: Collection[str] = ()) -> list[Life]:
    """Holds that are over, the oldest first; those that somebody else has in hand are left to them."""
    return await fetch_lives(
        connection,
        " WHERE pending_minor > 0 AND available_at_ms <= %s AND decision_id <> ALL (%s)"
        " ORDER BY available_at_ms, decision_id LIMIT %s FOR UPDATE SKIP LOCKED",
        (now_ms, packing.uuids(sorted(but)), count_max),
    )


async def lock_resumable(connection: Connection, *, count_max: int, but: Collection[str] = ()) -> list[Life]:
    """Clawbacks that waited for their grant, which is here now."""
    return await fetch_lives(
        connection,
        _WHERE_RESUMABLE,
        (packing.uuids(sorted(but)), count_max),
    )


async def first_waiting(connection: Connection, budget: int, *, count_max: int) -> list[Life]:
    """The first of a budget's queue. Not locked: lock budgets, then `lock_lives`, and see whether they still wait."""
    return await fetch_lives(
        connection, " WHERE waits_for_budget = %s ORDER BY waiting_no LIMIT %s", (budget, count_max)
    )


async def plain_grants(connection: Connection, decisions: Collection[str]) -> dict[str, Life]:
    """Grants that were posted without a life, as lives that nothing has happened to yet."""
    if not decisions:
        return {}
    cursor = await connection.execute(
        "SELECT t.decision_id::text, a.address, t.unit, t.amount_minor,"
        " (extract(epoch FROM t.available_at) * 1000)::bigint FROM rewards.transfers t"
        " JOIN rewards.accounts a ON a.id = t.credit_id WHERE t.id = ANY (%s) AND t.stage = %s",
        (packing.uuids([granted_transfer_id(decision) for decision in decisions]), STAGE_GRANTED),
    )
    return {
        decision: Life(
            decision=decision,
            state="posted",
            beneficiary=address.rpartition(":")[0],
            unit=unit,
            granted_minor=amount_minor,
            available_at_ms=available_at_ms,
        )
        for decision, address, unit, amount_minor, available_at_ms in await cursor.fetchall()
    }


async def add_lives(connection: Connection, lives: Collection[Life]) -> int:
    """Add rows; returns how many were new. A row that somebody else adds at this moment is waited for."""
    rows = sorted(lives, key=_decision)
    cursor = await connection.execute(
        "INSERT INTO rewards.lives (decision_id, state, beneficiary, unit, granted_minor, pending_minor, taken_minor,"
        " lot_minor, legs, available_at_ms, expires_at_ms, takes_back, waits_for, waits_for_transfer, waits_for_budget,"
        " waiting_no, reason, head, traceparent)"
        " SELECT n.id, n.state, n.beneficiary, n.unit, n.granted, n.pending, n.taken, n.lot, n.legs, n.available_at,"
        " n.expires_at, n.takes_back::uuid, n.waits_for::uuid, n.waits_for_transfer::uuid, n.waits_for_budget,"
        " n.waiting_no, n.reason, n.head, n.traceparent"
        " FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS n (id, state,"
        " beneficiary, unit, granted, pending, taken, lot, legs, available_at, expires_at, takes_back, waits_for,"
        " waits_for_transfer, waits_for_budget, waiting_no, reason, head, traceparent)"
        " ORDER BY n.id ON CONFLICT DO NOTHING",
        (
            packing.uuids([life.decision for life in rows]),
            packing.texts([life.state for life in rows]),
            packing.texts([life.beneficiary for life in rows]),
            packing.texts([life.unit for life in rows]),
            packing.bigints([life.granted_minor for life in rows]),
            packing.bigints([life.pending_minor for life in rows]),
            packing.bigints([life.taken_minor for life in rows]),
            packing.bigints([life.lot_minor for life in rows]),
            packing.integers([life.legs for life in rows]),
            packing.optional_bigints([life.available_at_ms for life in rows]),
            packing.optional_bigints([life.expires_at_ms for life in rows]),
            packing.unique_texts([life.takes_back for life in rows]),
            packing.unique_texts([life.waits_for for life in rows]),
            packing.unique_texts([_transfer_waited_for(life) for life in rows]),
            packing.optional_bigints([life.waits_for_budget for life in rows]),
            packing.optional_bigints([life.waiting_no for life in rows]),
            packing.texts([life.reason for life in rows]),
            packing.unique_texts([life.head for life in rows]),
            packing.unique_texts([life.traceparent for life in rows]),
        ),
        prepare=True,
    )
    return cursor.rowcount


async def change_lives(connection: Connection, lives: Collection[Life]) -> None:
    """Write what may change of lives that are locked. A hold's end is not among it."""
    if not lives:
        return
    rows = sorted(lives, key=_decision)
    await connection.execute(
        "UPDATE rewards.lives l SET state = n.state, granted_minor = n.granted, pending_minor = n.pending,"
        " taken_minor = n.taken, lot_minor = n.lot, expired_minor = n.expired, is_announced = n.announced = 1,"
        " legs = n.legs, waits_for = n.waits_for::uuid,"
        " waits_for_transfer = n.waits_for_transfer::uuid, waits_for_budget = n.waits_for_budget,"
        " waiting_no = n.waiting_no, reason = n.reason"
        " FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " AS n (id, state, granted, pending, taken, lot, expired, announced, legs,"
        " waits_for, waits_for_transfer, waits_for_budget, waiting_no, reason)"
        " WHERE l.decision_id = n.id",
        (
            packing.uuids([life.decision for life in rows]),
            packing.texts([life.state for life in rows]),
            packing.bigints([life.granted_minor for life in rows]),
            packing.bigints([life.pending_minor for life in rows]),
            packing.bigints([life.taken_minor for life in rows]),
            packing.bigints([life.lot_minor for life in rows]),
            packing.bigints([life.expired_minor for life in rows]),
            packing.integers([int(life.is_announced) for life in rows]),
            packing.integers([life.legs for life in rows]),
            packing.unique_texts([life.waits_for for life in rows]),
            packing.unique_texts([_transfer_waited_for(life) for life in rows]),
            packing.optional_bigints([life.waits_for_budget for life in rows]),
            packing.optional_bigints([life.waiting_no for life in rows]),
            packing.texts([life.reason for life in rows]),
        ),
        prepare=True,
    )


async def fetch_lives(
    connection: Connection, where: LiteralString, parameters: Sequence[object] | Mapping[str, object]
) -> list[Life]:
    """The lives that a condition names; what comes after WHERE is the caller's."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SELECT + where, parameters, prepare=True)
        return [_life(row) for row in await cursor.fetchall()]


def _life(row: DictRow) -> Life:
    return Life(**row)


def _transfer_waited_for(life: Life) -> str | None:
    return None if life.waits_for is None else granted_transfer_id(life.waits_for)


def _decision(life: Life) -> str:
    return life.decision
