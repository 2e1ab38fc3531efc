"""Work that comes round again: a component of `runtime.service` for what is done every so often.

Promises: rounds follow each other, never two at once. A server that is away puts a round off; anything else that goes
wrong ends the component, and so the service. When it is stopped, the round in hand is cancelled where it waits: work
keeps what it does in transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from contracts.errors import TransientError
from runtime import log
from runtime.database import OUTAGES
from runtime.ending import ended

RETRY_WAIT_S: Final = 2.0
"""After a round that was put off, or until the next one, if that is sooner."""

logger = log.get(__name__)


class Rounds:
    """A component (`start`, `wait`, `stop`).

    Args:
        name: In the log.
        work: One round; what it returns is nobody's concern here.
        every_s: Between the end of a round and the start of the next.
        put_off: What else puts a round off, beside a server that is away.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        *,
        every_s: float,
        put_off: tuple[type[Exception], ...] = (),
    ) -> None:
        self.name = name
        self._work = work
        self._every_s = every_s
        self._put_off: tuple[type[Exception], ...] = (TransientError, *OUTAGES, *put_off)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def wait(self) -> None:
        assert self._task is not None, "start first"
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def _run(self) -> None:
        while True:
            pause_s = self._every_s
            try:
                await self._work()
            except self._put_off as error:
                logger.warning("a round was put off", work=self.name, reason=str(error))
                pause_s = min(pause_s, RETRY_WAIT_S)
            await asyncio.sleep(pause_s)
