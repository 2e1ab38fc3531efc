"""Connections of whatever changes a revision: in the role that cannot alter the audit log, one writer a programme."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from runtime.database import CONNECT_S_MAX, Connection

_TAKE_ROLE = (
    "SELECT set_config('role', 'goodword_rules', false) FROM pg_roles"
    " WHERE rolname = 'goodword_rules' AND pg_has_role(session_user, oid, 'MEMBER')"
)
"""Takes the role where the migration could make it, and is no error where it could not."""


@asynccontextmanager
async def connect(postgres: str) -> AsyncIterator[Connection]:
    """A connection of its own, in autocommit mode. Raises one of `runtime.database.OUTAGES`."""
    async with await psycopg.AsyncConnection.connect(
        postgres, autocommit=True, connect_timeout=CONNECT_S_MAX
    ) as connection:
        await connection.execute(_TAKE_ROLE)
        yield connection


@asynccontextmanager
async def locked(postgres: str, programme: str) -> AsyncIterator[Connection]:
    """A connection that holds the programme's lock; a process that dies gives it back with its connection."""
    async with connect(postgres) as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"rules/publish/{programme}",))
        yield connection
