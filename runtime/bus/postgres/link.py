"""A connection that comes back: opened when needed, dropped when it broke, one user at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg import AsyncConnection

from runtime.bus.port import BusUnavailable
from runtime.database import OUTAGES, Connection, is_stale

CONNECT_S_MAX: Final = 5


async def connect(url: str, application: str) -> Connection:
    """Open a connection in autocommit mode. Raises one of OUTAGES."""
    connection = await AsyncConnection.connect(
        url,
        autocommit=True,
        application_name=application,
        connect_timeout=CONNECT_S_MAX,
        # A machine that vanished sends no reset: without these, both ends would wait for hours, and the advisory
        # locks of its partitions with them.
        keepalives=1,
        keepalives_idle=5,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=20_000,
        options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    )
    # Every statement of the bus is one of a few; prepared on first use they cost half.
    connection.prepare_threshold = 0
    return connection


class Link:
    """One connection, reopened after an outage."""

    def __init__(self, url: str, application: str) -> None:
        self._url = url
        self._application = application
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """The connection, for one user at a time. Raises BusUnavailable for whatever the server could not do."""
        async with self._lock:
            try:
                if self._connection is not None and is_stale(self._connection):
                    await self._drop()
                if self._connection is None:
                    self._connection = await connect(self._url, self._application)
                yield self._connection
            except OUTAGES as error:
                await self._drop()
                raise BusUnavailable(f"PostgreSQL: {reason(error)}") from error
            except asyncio.CancelledError:
                # The statement may still run; its answer must not meet the next user.
                await self._drop()
                raise

    async def close(self) -> None:
        async with self._lock:
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*OUTAGES):
                await connection.close()


def reason(error: psycopg.Error) -> str:
    """The first line of what the server or the driver said."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
