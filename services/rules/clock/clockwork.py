"""What happens because time passes, though nobody sends an event: days close, and so do contests.

A component of `runtime.service`. Every process has one; whoever holds the advisory lock works, one pass a minute. For
programmes that neither tell silences nor hold contests nothing is written and nothing is read.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from contracts.events import time_ms_of
from runtime import log
from runtime.bus.consumer import Consumer
from runtime.bus.port import Bus, BusUnavailable
from runtime.clock import Clock
from runtime.database import OUTAGES, Connection, Database
from runtime.ending import ended
from services.rules.clock.days import close_days
from services.rules.contests.close import ContestCloser
from services.rules.lifecycle.record import fetch
from services.rules.revisions.in_force import compile_source
from services.rules.store import StateStore, StoreUnavailable

logger = log.get(__name__)
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('rules/clockwork', 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended('rules/clockwork', 0))"


class Clockwork:
    """Closes days and contests.

    Args:
        projection: Keeps the standings; started when the first programme holds a contest.
        delay_s: How long after local midnight a day closes, so that what was under way has arrived.
        every_s: Between two passes.
    """

    name = "clockwork"

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        store: StateStore,
        clock: Clock,
        projection: Consumer,
        delay_s: float,
        every_s: float,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._projection = projection
        self._closer = ContestCloser(bus=bus, store=store, clock=clock)
        self._delay_ms = round(delay_s * 1000)
        self._every_s = every_s
        self._is_projecting = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run())]

    async def wait(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await ended(*self._tasks)
        if self._is_projecting:
            await self._projection.stop()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    if await self.run_once() and not self._is_projecting:
                        await self._projection.start()
                        self._is_projecting = True
                        group.create_task(self._projection.wait())
                except (*OUTAGES, BusUnavailable, StoreUnavailable) as error:
                    logger.warning("a pass was put off", reason=str(error))
                await asyncio.sleep(self._every_s)

    async def run_once(self) -> bool:
        """One pass, if nobody else is at it; returns whether any programme holds a contest."""
        async with self._database.connection() as connection:
            programmes = [
                (compile_source(each.source_text, each.revision, each.digest).rule_set, each.published_at)
                for each in await fetch(connection, None, "active")
            ]
            timed = [each for each in programmes if each[0].inactivity or each[0].contests]
            if timed and await _is_true(connection, _LOCK):
                try:
                    for rules, published_at in timed:
                        now_ms = self._clock.now_ms()
                        await close_days(
                            connection,
                            self._bus,
                            rules.programme,
                            rules.timezone,
                            until_ms=now_ms - self._delay_ms,
                            now_ms=now_ms,
                        )
                        for contest in rules.contests:
                            assert published_at is not None, "an active revision was published"
                            await self._closer.close(
                                connection,
                                rules.programme,
                                contest,
                                rules.timezone,
                                published_ms=time_ms_of(published_at),
                            )
                finally:
                    # A connection that broke has given the lock back by itself.
                    with contextlib.suppress(*OUTAGES):
                        await connection.execute(_UNLOCK)
            return any(rules.contests for rules, _ in timed)


async def _is_true(connection: Connection, statement: str) -> bool:
    row = await (await connection.execute(statement)).fetchone()
    return row is not None and bool(row[0])
