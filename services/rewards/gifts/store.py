"""Rows of `rewards.gifts`. Locked after the budgets, before balances."""

from __future__ import annotations

from typing import Final, LiteralString

from psycopg.rows import dict_row

from runtime.database import Connection
from services.rewards.gifts.giving import Gift
from services.rewards.newest import NEWEST_FIRST, newest_first

_SELECT: Final[LiteralString] = (
    "SELECT id::text, programme, key, beneficiary, budget, period, amount_minor, unit, decimals, reason, proposed_by,"
    " proposed_at_ms, state, decided_by, decided_at_ms, decided_because FROM rewards.gifts"
)
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended('goodword/rewards/gifts/' || %s, 0))"


async def take_turn(connection: Connection, beneficiary: str) -> None:
    """One gift to a person at a time, so that limits see all of them; to the end of the transaction."""
    await connection.execute(_TURN, (beneficiary,))


async def read_gift(connection: Connection, id: str) -> Gift | None:
    return await _fetch_one(connection, _SELECT + " WHERE id = %s::uuid", (id,))


async def lock_gift(connection: Connection, id: str) -> Gift | None:
    return await _fetch_one(connection, _SELECT + " WHERE id = %s::uuid FOR UPDATE", (id,))


async def gift_of_key(connection: Connection, programme: str, key: str) -> Gift | None:
    return await _fetch_one(connection, _SELECT + " WHERE programme = %s AND key = %s", (programme, key))


async def list_gifts(
    connection: Connection, beneficiary: str | None, state: str | None, *, before: str | None, limit: int
) -> list[Gift]:
    """The newest first."""
    return await _fetch(
        connection, _SELECT + NEWEST_FIRST, newest_first(beneficiary, state, before=before, limit=limit)
    )


async def given_minor(connection: Connection, beneficiary: str, unit: str, *, since_ms: int) -> int:
    """What a person was given since then."""
    cursor = await connection.execute(
        "SELECT coalesce(sum(amount_minor), 0) FROM rewards.gifts"
        " WHERE beneficiary = %s AND unit = %s AND state = 'granted' AND decided_at_ms > %s",
        (beneficiary, unit, since_ms),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def add_gift(connection: Connection, gift: Gift) -> None:
    """Raises psycopg.errors.UniqueViolation when its key is taken."""
    await connection.execute(
        "INSERT INTO rewards.gifts (id, programme, key, beneficiary, budget, period, amount_minor, unit, decimals,"
        " reason, proposed_by, proposed_at_ms, state) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [getattr(gift, name) for name in Gift.__struct_fields__[:13]],
    )


async def decide_gift(connection: Connection, gift: Gift) -> None:
    """Write how a locked one was decided."""
    await connection.execute(
        "UPDATE rewards.gifts SET state = %s, decided_by = %s, decided_at_ms = %s, decided_because = %s"
        " WHERE id = %s::uuid AND state = 'proposed'",
        (gift.state, gift.decided_by, gift.decided_at_ms, gift.decided_because, gift.id),
    )


async def _fetch_one(connection: Connection, query: LiteralString, parameters: tuple[object, ...]) -> Gift | None:
    found = await _fetch(connection, query, parameters)
    return found[0] if found else None


async def _fetch(connection: Connection, query: LiteralString, parameters: tuple[object, ...]) -> list[Gift]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        return [Gift(**row) for row in await cursor.fetchall()]
