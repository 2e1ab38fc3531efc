"""A crash between any two statements: connections that die just before a chosen one, as if the process were killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from runtime.database import Connection
from services.rewards.store import SETUP


class CrashingDatabase:
    """Connections of the service, one at a time; all of them are dead once `statements` were run."""

    def __init__(self, url: str, *, statements: int) -> None:
        self._url = url
        self.left = statements

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        database = self

        class Cursor(psycopg.AsyncCursor[Any]):
            async def execute(self, *arguments: Any, **options: Any) -> Any:
                if database.left == 0:
                    # The server rolls back what it has of this connection, as it does when a process is gone.
                    self.connection.pgconn.finish()
                    raise psycopg.OperationalError("killed")
                database.left -= 1
                return await super().execute(*arguments, **options)

        opened: psycopg.AsyncConnection[TupleRow] = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        async with opened:
            for statement in SETUP:
                await opened.execute(statement)
            opened.cursor_factory = Cursor
            yield opened
