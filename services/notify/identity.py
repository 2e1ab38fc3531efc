"""Who has a mail in hand: a number for each sending process, and proof that it lives.

The proof is a session-level advisory lock in PostgreSQL on a connection of its own: it ends with the process, also
with a killed one, and no clock is compared. It needs a direct connection; a pooler in transaction mode would share
the session.
"""

from __future__ import annotations

from typing import Final

import psycopg

from runtime import log
from runtime.database import OUTAGES, Connection
from services.notify.store import LOCK_SPACE

LOCK_WAIT_MS_MAX: Final = 2_000

logger = log.get(__name__)


class Identity:
    """The number of this process; `take` before the first claim, `keep` now and then, `leave` in the end."""

    def __init__(self, postgres_url: str) -> None:
        self._url = postgres_url
        self._connection: Connection | None = None
        self._number: int | None = None

    @property
    def number(self) -> int:
        if self._number is None:
            raise RuntimeError("the sender has no number yet")
        return self._number

    async def take(self) -> None:
        """Get a number that nobody ever had, and lock it."""
        connection = await self._connect()
        cursor = await connection.execute("SELECT nextval('notify.sender_numbers')::integer")
        row = await cursor.fetchone()
        assert row is not None
        self._number = int(row[0])
        await self._lock(connection)

    async def keep(self) -> None:
        """Make sure that the lock is still ours; lock again when its connection broke. Raises what psycopg raises.

        In between others may call our mails unknown; they can never send them, and we may still tell.
        """
        if self._connection is not None:
            try:
                await self._connection.execute("SELECT 1")
            except OUTAGES:
                await self.leave()
            else:
                return
        await self._lock(await self._connect())
        logger.warning("sender locked its number again", number=self.number)

    async def leave(self) -> None:
        """Close the connection, and with it give up the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=5,
            application_name="goodword-notify-sender",
            # The server may take a while to notice that our last connection is gone, and would let us wait for it.
            options=f"-c lock_timeout={LOCK_WAIT_MS_MAX}",
        )

    async def _lock(self, connection: Connection) -> None:
        try:
            await connection.execute("SELECT pg_advisory_lock(%s, %s)", (LOCK_SPACE, self.number))
        except OUTAGES:
            await connection.close()
            raise
        self._connection = connection
