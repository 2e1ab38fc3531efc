"""PostgreSQL connections: one way to open, to check, and to tell an outage from a mistake."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, LiteralString, Protocol

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

CONNECT_S_MAX: Final = 5
WAIT_S_MAX: Final = 5.0
"""Longer than any queue for a connection in a healthy service; whoever waits behind it wants to know of an outage."""

Connection = psycopg.AsyncConnection[TupleRow]

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError)
"""What psycopg raises when the server is away, full or going down; anything else is our mistake."""


class Connections(Protocol):
    """Where connections come from: a pool (Database), or a transaction that is open already (Within)."""

    def connection(self) -> AbstractAsyncContextManager[Connection]: ...


class Within:
    """The one connection of a transaction that is open: what is done with it takes effect when that commits.

    A `transaction()` on it is a savepoint. What remembers what it wrote outside of transactions needs a memory of its
    own here, since all of it may be rolled back.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield self._connection


class Database:
    """A pool of connections of one service; a component (`start`, `wait`, `stop`) of `runtime.service`.

    `setup` statements (such as SET ROLE) run on every new connection. Whoever finds no connection free, or the server
    away, waits WAIT_S_MAX and gets one of OUTAGES.
    """

    name = "postgres"

    def __init__(
        self, url: str, *, application: str, connections_max: int = 4, setup: tuple[LiteralString, ...] = ()
    ) -> None:
        self._url = url
        self._setup = setup
        self._options: dict[str, Any] = {
            "application_name": f"goodword-{application}",
            "connect_timeout": CONNECT_S_MAX,
            "autocommit": True,
        }
        self.pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=connections_max,
            open=False,
            timeout=WAIT_S_MAX,
            reconnect_timeout=30,
            kwargs=self._options,
            configure=self._configure,
            check=_check,
            name=application,
        )

    async def _configure(self, connection: Connection) -> None:
        for statement in self._setup:
            await connection.execute(statement)

    async def start(self) -> None:
        """Raises one of OUTAGES, and may then be called again."""
        # The pool itself would only say that time was up, not why, and could not be opened again after that.
        async with await psycopg.AsyncConnection.connect(self._url, **self._options) as connection:
            await self._configure(connection)
        await self.pool.open(wait=False)

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
