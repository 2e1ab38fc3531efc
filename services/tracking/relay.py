"""Clicks on their way to the log, apart from the redirects that made them.

A redirect never waits for the log and never fails with it. Clicks wait in memory, at most `waiting_max`, and go out
in batches; while the log is away they are kept and tried again, the newest beyond the limit are lost and counted. A
process that is killed loses the clicks of its last moments: a click is worth less than a visitor who is kept waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import Final

from prometheus_client import Counter

from contracts.topics import CLICKS
from runtime import log
from runtime.bus.port import Bus, BusUnavailable, Record

logger = log.get(__name__)

BATCH_RECORDS_MAX: Final = 1_000
RETRY_WAIT_S_MAX: Final = 5.0
FLUSH_SECONDS_MAX: Final = 5.0
"""How long stopping waits for the clicks that are left."""


class ClickRelay:
    """A component (`start`, `wait`, `stop`) of `runtime.service`."""

    name = "clicks"

    def __init__(self, bus: Bus, clicks: Counter, *, waiting_max: int) -> None:
        self._bus = bus
        self._clicks = clicks
        self._waiting_max = waiting_max
        self._waiting: deque[Record] = deque()
        self._something = asyncio.Event()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def put(self, record: Record) -> None:
        """Hand over a click; never blocks, never raises."""
        if len(self._waiting) >= self._waiting_max:
            self._clicks.labels("lost").inc()
            return
        self._waiting.append(record)
        self._something.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="clicks")

    async def wait(self) -> None:
        assert self._task is not None
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        if self._task is None:
            return
        self._is_stopping = True
        self._something.set()
        try:
            async with asyncio.timeout(FLUSH_SECONDS_MAX):
                await self._task
        except TimeoutError:
            logger.warning("clicks lost", clicks=len(self._waiting))
            self._clicks.labels("lost").inc(len(self._waiting))

    async def _run(self) -> None:
        wait_s = 0.1
        while self._waiting or not self._is_stopping:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                batch = list(islice(self._waiting, BATCH_RECORDS_MAX))
                try:
                    await self._bus.publish(CLICKS.name, batch)
                except BusUnavailable as error:
                    logger.warning("clicks wait for the log", waiting=len(self._waiting), reason=str(error))
                    await asyncio.sleep(wait_s)
                    wait_s = min(wait_s * 2, RETRY_WAIT_S_MAX)
                    continue
                wait_s = 0.1
                for _ in batch:
                    self._waiting.popleft()
                self._clicks.labels("recorded").inc(len(batch))
