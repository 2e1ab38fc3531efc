"""What the rest of a service stands on: the bus with its topics, and the service's schema in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from contracts.topics import TOPICS
from runtime.bus.port import Bus
from runtime.migrations import migrate_unless_stopped
from runtime.settings import Settings


class Foundation:
    """The first component of every service; started again as a whole when something was away.

    Args:
        bus: Started here, and closed last of all.
        service: Whose schema is brought up to date.
        then: Done at the end of the start, when bus and schema are there.
    """

    name = "bus and schema"

    def __init__(
        self, settings: Settings, bus: Bus, *, service: str, then: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._service = service
        self._then = then

    async def start(self) -> None:
        await self._bus.start()
        await self._bus.ensure_topics(TOPICS, self._settings.partitions)
        await migrate_unless_stopped(self._settings.postgres, self._service)
        if self._then is not None:
            await self._then()

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self._bus.close()
