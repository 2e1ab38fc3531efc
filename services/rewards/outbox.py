"""The relay: what was posted leaves for `goodword.ledger`, in the order of the commits.

Facts lie in the outbox since the transaction that posted them: none is lost, and none is told that was not posted.
The relay publishes a block, then deletes it; killed in between, it publishes it again with the same ids: at least
once. One relay at a time, by an advisory lock that ends with its connection, however its process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final, LiteralString
from uuid import UUID

import psycopg

from contracts.topics import LEDGER
from runtime import log
from runtime.bus.port import Bus, BusUnavailable, Record
from runtime.database import OUTAGES, Connection
from services.rewards.facts import fact_records

LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('goodword/rewards/relay', 0))"
BLOCKS_MAX: Final = 64
"""Blocks fetched at once, packed; they are unpacked and published in portions."""
LOCK_POLL_S: Final = 1.0
"""How often a relay that is not the one looks whether it may be."""
RETRY_WAIT_S_MIN: Final = 0.05
RETRY_WAIT_S_MAX: Final = 5.0

logger = log.get(__name__)

_Told = tuple[int, bytes, list[UUID] | None, bytes | None]
"""A block of the outbox: its number, its facts, which of them were really posted, and its hash."""


class Relay:
    """A component (`start`, `wait`, `stop`) of `runtime.service`.

    Args:
        postgres: URL of the database; the relay keeps a connection of its own, which holds its lock.
        setup: What the connection runs first.
        bus: Where facts go; started by its owner.
        poll_s: How often to look for what other processes posted, and whether the lock is free.
        transfers_max: Facts in hand.
    """

    name = "relay"

    def __init__(
        self, postgres: str, bus: Bus, *, setup: tuple[LiteralString, ...], poll_s: float, transfers_max: int
    ) -> None:
        self._postgres = postgres
        self._bus = bus
        self._setup = setup
        self._poll_s = poll_s
        self._transfers_max = transfers_max
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something was posted by this process."""
        self._wake.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="relay")

    async def wait(self) -> None:
        assert self._task is not None, "start first"
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Publish what is in hand, then let go of the lock; the rest waits for the next relay."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        wait_s = RETRY_WAIT_S_MIN
        while not self._stopping.is_set():
            try:
                async with await self._connect() as connection:
                    while not self._stopping.is_set() and not await self._is_alone(connection):
                        await self._pause(self._stopping, LOCK_POLL_S)
                    wait_s = RETRY_WAIT_S_MIN
                    await self._relay(connection)
            except (*OUTAGES, BusUnavailable) as error:
                # An outage is waited for as long as it lasts: the outbox is durable, and its size is a gauge.
                logger.warning("relay tries again", wait_s=wait_s, reason=str(error))
                await self._pause(self._stopping, wait_s)
                wait_s = min(wait_s * 2, RETRY_WAIT_S_MAX)

    async def _connect(self) -> Connection:
        connection = await psycopg.AsyncConnection.connect(
            self._postgres, autocommit=True, application_name="goodword-rewards-relay", connect_timeout=5
        )
        for statement in self._setup:
            await connection.execute(statement)
        # A deletion that a crash forgets is a block published again, which is allowed.
        await connection.execute("SET synchronous_commit = off")
        return connection

    async def _is_alone(self, connection: Connection) -> bool:
        row = await (await connection.execute(LOCK)).fetchone()
        return bool(row and row[0])

    async def _relay(self, connection: Connection) -> None:
        """Publish block after block until stopping."""
        # Deleted rows are never looked at again: until they are vacuumed, a scan from the start walks them all.
        after = -1
        while not self._stopping.is_set():
            self._wake.clear()
            blocks = await self._fetch(connection, after)
            if not blocks:
                await self._pause(self._wake, self._poll_s)
            for records, last in self._portions(blocks):
                await self._bus.publish(LEDGER.name, records)
                await connection.execute("DELETE FROM rewards.outbox WHERE block <= %s", (last,))
                after = last

    async def _fetch(self, connection: Connection, after: int) -> list[_Told]:
        cursor = await connection.execute(
            "SELECT o.block, o.facts, o.posted_ids, b.hash FROM rewards.outbox o"
            " LEFT JOIN rewards.blocks b ON b.number = o.block WHERE o.block > %s ORDER BY o.block LIMIT %s",
            (after, BLOCKS_MAX),
            binary=True,
            prepare=True,
        )
        return await cursor.fetchall()

    def _portions(self, blocks: list[_Told]) -> Iterator[tuple[list[Record], int]]:
        """The records of whole blocks, up to the limit or one block, and the last block's number."""
        records: list[Record] = []
        last = -1
        for block, facts, posted_ids, hash in blocks:
            ids = None if posted_ids is None else {str(id) for id in posted_ids}
            found = fact_records(facts, ids, None if hash is None else (block, hash))
            if records and len(records) + len(found) > self._transfers_max:
                yield records, last
                records = []
            records += found
            last = block
        if records:
            yield records, last

    @staticmethod
    async def _pause(event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
