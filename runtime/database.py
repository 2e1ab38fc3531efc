"""PostgreSQL connections: one way to open, to check, and to tell an outage from a mistake."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

Connection = psycopg.AsyncConnection[TupleRow]

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError)
"""What psycopg raises when the server is away, full or going down; anything else is our mistake."""


class Database:
    """A pool of connections of one service; a component (`start`, `wait`, `stop`) of `runtime.service`.

    `setup` statements (such as SET ROLE) run on every new connection.
    """

    name = "postgres"

    def __init__(
        self, url: str, *, application: str, connections_max: int = 4, setup: tuple[LiteralString, ...] = ()
    ) -> None:
        self._setup = setup
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=connections_max,
            open=False,
            timeout=10,
            reconnect_timeout=30,
            kwargs={"application_name": f"goodword-{application}", "connect_timeout": 5, "autocommit": True},
            configure=self._configure,
            check=_check,
            name=application,
        )

    async def _configure(self, connection: Connection) -> None:
        for statement in self._setup:
            await connection.execute(statement)

    async def start(self) -> None:
        await self.pool.open(wait=True, timeout=30)

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self.pool.close()

    async def check(self) -> None:
        async with self.pool.connection(timeout=2) as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode; open `connection.transaction()` where several statements belong together."""
        async with self.pool.connection() as connection:
            yield connection

    async def fetch_all(self, query: LiteralString, parameters: dict[str, Any] | None = None) -> list[TupleRow]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall()


def is_stale(connection: Connection) -> bool:
    """Whether an idle connection has ended without our noticing: an idle server says nothing but goodbye.

    Without this, the first statement after a restart of the server would be told of an outage that is over. It asks the
    kernel and not the server: a round trip before every statement costs as much as most statements.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def _check(connection: Connection) -> None:
    """The pool's check of a connection that it is about to hand out."""
    if is_stale(connection):
        # Closed, or the pool would keep it and hand it out again.
        await connection.close()
        raise psycopg.OperationalError("the connection has ended while it was idle")
