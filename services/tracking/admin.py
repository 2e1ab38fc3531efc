"""What the operator changes in tracking's tables: keys and links, on a URL, no service needed.

Every function raises `psycopg.OperationalError` when PostgreSQL is away, and `psycopg.errors.UndefinedTable` when no
tracking service has ever started on the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from contracts.errors import PermanentError, Problem
from contracts.events import format_time, time_ms_of
from runtime.tokens import new_token, parse_token
from services.tracking.keys import Key, check_scope
from services.tracking.links import Link, problem_of
from services.tracking.store import link_of


async def create_key(
    postgres_url: str,
    *,
    name: str,
    sources: tuple[str, ...],
    may_name_partner: bool,
    types: tuple[str, ...] | None = None,
) -> tuple[Key, str]:
    """A new key and its token. The token is shown this once; only a hash of it is stored.

    Args:
        postgres_url: Where tracking keeps its tables.
        name: Whose it is, for lists.
        sources: Sources it may speak for; one may end in `*` and then is the beginning of those it may.
        may_name_partner: Whether its events may say whose they are.
        types: Event types it may send; None means all.

    Raises:
        PermanentError: The scope could not work.
    """
    check_scope(sources, types)
    key_id, token = new_token()
    parsed = parse_token(token)
    assert parsed is not None
    async with await _connect(postgres_url) as connection:
        await connection.execute(
            "INSERT INTO tracking.keys (key_id, secret_sha256, name, sources, may_name_partner, types)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (key_id, parsed[1], name, list(sources), may_name_partner, list(types) if types else None),
        )
    return Key(key_id, parsed[1], name, sources, may_name_partner, frozenset(types) if types else None), token


async def keys(postgres_url: str) -> list[dict[str, Any]]:
    """All keys, the newest first, without anything secret."""
    async with await _connect(postgres_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT key_id, name, sources, may_name_partner, types, created_at, revoked_at"
            " FROM tracking.keys ORDER BY created_at DESC, key_id"
        )
        rows = await cursor.fetchall()
    return [row | {name: _text(row[name]) for name in ("created_at", "revoked_at")} for row in rows]


async def revoke_key(postgres_url: str, key_id: str) -> bool:
    """Refuse the key from now on (running services: within `tracking_keys_cached_s`). False: there is none."""
    async with await _connect(postgres_url) as connection:
        cursor = await connection.execute(
            "UPDATE tracking.keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s", (key_id,)
        )
        return cursor.rowcount == 1


async def create_link(postgres_url: str, link: Link) -> bool:
    """Make a link; making the same one again changes nothing. Returns whether it is new.

    Raises:
        PermanentError: The link cannot be one, or its code leads elsewhere.
    """
    if problem := problem_of(link):
        raise PermanentError(problem)
    async with await _connect(postgres_url) as connection:
        inserted = await connection.execute(
            "INSERT INTO tracking.links (code, programme, partner, target, channel, campaign)"
            " VALUES (%(code)s, %(programme)s, %(partner)s, %(target)s, %(channel)s, %(campaign)s)"
            " ON CONFLICT (code) DO NOTHING",
            {name: getattr(link, name) for name in link.__struct_fields__},
        )
        stored = await connection.execute(
            "SELECT code, programme, partner, target, channel, campaign FROM tracking.links WHERE code = %s",
            (link.code,),
        )
        row = await stored.fetchone()
    if row is None or link_of(row) != link:
        problem = Problem(code="code-taken", message=f'the code "{link.code}" leads elsewhere', where="code")
        raise PermanentError(problem)
    return inserted.rowcount == 1


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(time_ms_of(moment))


async def _connect(postgres_url: str) -> psycopg.AsyncConnection[TupleRow]:
    return await psycopg.AsyncConnection.connect(postgres_url, autocommit=True, connect_timeout=5)
