"""Rows of `rewards.memberships`, and of what the rules are to be told.

Locked in this order: lives, memberships by id, balances.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

import msgspec
from psycopg.rows import dict_row

from runtime.database import Connection
from services.rewards import packing
from services.rewards.lots.spending import Part
from services.rewards.memberships.terms import Membership
from services.rewards.newest import NEWEST_FIRST, newest_first

_SELECT: Final[LiteralString] = (
    "SELECT id::text, programme, key, beneficiary, tier, back_to, per, price_minor, unit, decimals, paid_outside,"
    " renews, bought_at_ms, bought_by, term, from_ms, until_ms, parts::text, state, closed_at_ms, closed_by, reason,"
    " refunded_minor, told FROM rewards.memberships"
)
_COLUMNS: Final = tuple(Membership.__struct_fields__)
_CHANGING: Final = ("term", "from_ms", "until_ms", "state", "closed_at_ms", "closed_by", "reason", "refunded_minor")


async def membership_of_key(connection: Connection, programme: str, key: str) -> Membership | None:
    found = await _fetch(connection, _SELECT + " WHERE programme = %s AND key = %s", (programme, key))
    return found[0] if found else None


async def read_membership(connection: Connection, id: str) -> Membership | None:
    found = await _fetch(connection, _SELECT + " WHERE id = %s::uuid", (id,))
    return found[0] if found else None


async def lock_membership(connection: Connection, id: str) -> Membership | None:
    found = await _fetch(connection, _SELECT + " WHERE id = %s::uuid FOR UPDATE", (id,))
    return found[0] if found else None


async def find_over(connection: Connection, *, now_ms: int, count_max: int) -> list[Membership]:
    """Those whose term is over. Not locked: lock their lots, then `lock_over`."""
    return await _fetch(
        connection,
        _SELECT + " WHERE state = 'active' AND until_ms <= %s ORDER BY until_ms LIMIT %s",
        (now_ms, count_max),
    )


async def lock_over(connection: Connection, ids: Collection[str], *, now_ms: int) -> list[Membership]:
    """Those of them whose term still is over, in the order of their ids."""
    return await _fetch(
        connection,
        _SELECT + " WHERE id = ANY (%s) AND state = 'active' AND until_ms <= %s ORDER BY id FOR UPDATE",
        (packing.uuids(sorted(ids)), now_ms),
    )


async def list_memberships(
    connection: Connection, beneficiary: str | None, state: str | None, *, before: str | None, limit: int
) -> list[Membership]:
    """The newest first."""
    return await _fetch(
        connection, _SELECT + NEWEST_FIRST, newest_first(beneficiary, state, before=before, limit=limit)
    )


async def add_membership(connection: Connection, membership: Membership) -> None:
    """Raises psycopg.errors.UniqueViolation when its key is taken, or the partner has one already."""
    await connection.execute(
        "INSERT INTO rewards.memberships (id, programme, key, beneficiary, tier, back_to, per, price_minor, unit,"
        " decimals, paid_outside, renews, bought_at_ms, bought_by, term, from_ms, until_ms, parts, state,"
        " closed_at_ms, closed_by, reason, refunded_minor, told) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,"
        " %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s, %s)",
        [_value(membership, name) for name in _COLUMNS],
    )


async def change_membership(connection: Connection, membership: Membership) -> None:
    """Write what may change of one that is locked."""
    await connection.execute(
        "UPDATE rewards.memberships SET parts = %s::jsonb, term = %s, from_ms = %s, until_ms = %s, state = %s,"
        " closed_at_ms = %s, closed_by = %s, reason = %s, refunded_minor = %s WHERE id = %s::uuid",
        [_value(membership, name) for name in ("parts", *_CHANGING, "id")],
    )


async def to_be_told(connection: Connection, membership: Membership, tier: str, *, at_ms: int) -> None:
    """The rules are to hear that a partner is in a tier from now on; `memberships/telling.py` tells them."""
    membership.told += 1
    await connection.execute(
        "INSERT INTO rewards.tier_tellings (event_id, programme, partner, tier, at_ms) VALUES (%s, %s, %s, %s, %s)",
        (
            f"membership/{membership.id}/{membership.told}",
            membership.programme,
            membership.beneficiary.partition(":")[2],
            tier,
            at_ms,
        ),
    )
    await connection.execute(
        "UPDATE rewards.memberships SET told = %s WHERE id = %s::uuid", (membership.told, membership.id)
    )


def _value(membership: Membership, name: str) -> object:
    value: object = getattr(membership, name)
    return msgspec.json.encode(value).decode() if name == "parts" else value


async def _fetch(connection: Connection, query: LiteralString, parameters: tuple[object, ...]) -> list[Membership]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        rows = await cursor.fetchall()
    for row in rows:
        row["parts"] = msgspec.json.decode(row["parts"], type=tuple[Part, ...])
    return [Membership(**row) for row in rows]
