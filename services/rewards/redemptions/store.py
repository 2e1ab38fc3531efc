"""Rows of `rewards.redemptions` and their codes.

Locked in this order: lives, redemptions by id, items by id, balances.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, LiteralString

import msgspec
from psycopg.rows import dict_row

from contracts.events import format_time
from runtime.database import Connection
from services.rewards import packing
from services.rewards.lots.spending import Part
from services.rewards.newest import NEWEST_FIRST, newest_first
from services.rewards.redemptions.deciding import Redemption
from services.rewards.redemptions.line import RevealLine

_SELECT: Final[LiteralString] = (
    "SELECT id::text, programme, key, beneficiary, item_id, item, kind, version, quantity, price_minor, unit, decimals,"
    " gives_minor, gives_unit, gives_decimals, has_codes, parts::text, state, reserved_at_ms,"
    " reserved_by, until_ms, closed_at_ms, closed_by, reason FROM rewards.redemptions"
)
REVEALS_MAX: Final = 1_000
_COLUMNS: Final = tuple(Redemption.__struct_fields__)


async def read_redemption(connection: Connection, id: str) -> Redemption | None:
    found = await _fetch(connection, _SELECT + " WHERE id = %s::uuid", (id,))
    return found[0] if found else None


async def redemption_of_key(connection: Connection, programme: str, key: str) -> Redemption | None:
    found = await _fetch(connection, _SELECT + " WHERE programme = %s AND key = %s", (programme, key))
    return found[0] if found else None


async def lock_redemptions(connection: Connection, ids: Collection[str]) -> list[Redemption]:
    """By id, locked to the end of the transaction."""
    return await _fetch(
        connection, _SELECT + " WHERE id = ANY (%s) ORDER BY id FOR UPDATE", (packing.uuids(sorted(ids)),)
    )


async def overdue(connection: Connection, *, now_ms: int, count_max: int) -> list[Redemption]:
    """Reservations whose time is over, the oldest first. Not locked: lock them, and see whether they still are."""
    return await _fetch(
        connection,
        _SELECT + " WHERE state = 'reserved' AND until_ms <= %s ORDER BY until_ms LIMIT %s",
        (now_ms, count_max),
    )


async def list_redemptions(
    connection: Connection, beneficiary: str | None, state: str | None, *, before: str | None, limit: int
) -> list[Redemption]:
    """The newest first."""
    return await _fetch(
        connection, _SELECT + NEWEST_FIRST, newest_first(beneficiary, state, before=before, limit=limit)
    )


async def had_of(connection: Connection, item: int, beneficiary: str) -> int:
    """How many of a locked item they have had, those on their way among them."""
    cursor = await connection.execute(
        "SELECT coalesce(sum(quantity), 0) FROM rewards.redemptions"
        " WHERE item_id = %s AND beneficiary = %s AND state <> 'cancelled'",
        (item, beneficiary),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def add_redemption(connection: Connection, redemption: Redemption) -> None:
    """Raises psycopg.errors.UniqueViolation when its key is taken."""
    await connection.execute(
        "INSERT INTO rewards.redemptions (id, programme, key, beneficiary, item_id, item, kind, version, quantity,"
        " price_minor, unit, decimals, gives_minor, gives_unit, gives_decimals, has_codes, parts, state,"
        " reserved_at_ms, reserved_by, until_ms, closed_at_ms, closed_by, reason) VALUES"
        " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s, %s, %s)",
        [
            msgspec.json.encode(redemption.parts).decode() if name == "parts" else getattr(redemption, name)
            for name in _COLUMNS
        ],
    )


async def close_redemptions(connection: Connection, redemptions: Collection[Redemption]) -> None:
    """Write how locked ones have ended."""
    for redemption in sorted(redemptions, key=lambda each: each.id):
        await connection.execute(
            "UPDATE rewards.redemptions SET state = %s, closed_at_ms = %s, closed_by = %s, reason = %s"
            " WHERE id = %s::uuid AND state = 'reserved'",
            (redemption.state, redemption.closed_at_ms, redemption.closed_by, redemption.reason, redemption.id),
        )


async def hand_out(connection: Connection, redemption: Redemption) -> int:
    """Give a redemption as many free codes as it is of; returns how many there were."""
    cursor = await connection.execute(
        "UPDATE rewards.redemption_codes SET redemption_id = %s::uuid WHERE id IN ("
        " SELECT id FROM rewards.redemption_codes WHERE item_id = %s AND redemption_id IS NULL"
        " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)",
        (redemption.id, redemption.item_id, redemption.quantity),
    )
    return cursor.rowcount


async def keep_codes(
    connection: Connection, redemption: Redemption, codes: Sequence[str], *, by: str, at_ms: int
) -> None:
    """Codes that came with the fulfilment. Raises psycopg.errors.UniqueViolation when one was given out before."""
    for code in codes:
        await connection.execute(
            "INSERT INTO rewards.redemption_codes (item_id, code, loaded_by, loaded_at_ms, redemption_id)"
            " VALUES (%s, %s, %s, %s, %s::uuid)",
            (redemption.item_id, code, by, at_ms, redemption.id),
        )


async def codes_of(connection: Connection, id: str) -> list[str]:
    """In the order in which they were loaded."""
    cursor = await connection.execute(
        "SELECT code FROM rewards.redemption_codes WHERE redemption_id = %s::uuid ORDER BY id", (id,)
    )
    return [row[0] for row in await cursor.fetchall()]


async def reveals_of(connection: Connection, id: str) -> list[RevealLine]:
    """Who was shown its codes, and when; the first one first."""
    cursor = await connection.execute(
        "SELECT revealed_by, revealed_at_ms FROM rewards.code_reveals WHERE redemption_id = %s::uuid"
        " ORDER BY revealed_at_ms, revealed_by LIMIT %s",
        (id, REVEALS_MAX),
    )
    return [RevealLine(by=by, at=format_time(at_ms)) for by, at_ms in await cursor.fetchall()]


async def note_reveal(connection: Connection, id: str, *, by: str, at_ms: int) -> None:
    await connection.execute(
        "INSERT INTO rewards.code_reveals (redemption_id, revealed_by, revealed_at_ms) VALUES (%s::uuid, %s, %s)",
        (id, by, at_ms),
    )


async def _fetch(connection: Connection, query: LiteralString, parameters: tuple[object, ...]) -> list[Redemption]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        rows = await cursor.fetchall()
    for row in rows:
        row["parts"] = msgspec.json.decode(row["parts"], type=tuple[Part, ...])
    return [Redemption(**row) for row in rows]
