"""The ear of the log: one connection that listens, and the events it sets.

A lost notification costs a slow poll, never a record: readers also look by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib

from runtime import log
from runtime.bus.port import BusUnavailable
from runtime.bus.postgres.link import Link
from runtime.bus.postgres.publisher import RECONNECT_WAIT_S_MAX
from runtime.ending import ended

logger = log.get(__name__)


class Listener:
    """Sets `asyncio.Event`s when a partition got records, or when a group changed."""

    def __init__(self, url: str, application: str) -> None:
        self._link = Link(url, f"{application}-listen")
        self._events: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Called again it does nothing: a service tries its start again while the log is away."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="bus-listener")

    async def close(self) -> None:
        if self._task is not None:
            await ended(self._task)
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def watch(self, what: str, event: asyncio.Event) -> None:
        """Set the event when `what` is told of: `<topic id>:<partition>`, or `g<group id>`."""
        self._events.setdefault(what, set()).add(event)

    def forget(self, what: str, event: asyncio.Event) -> None:
        watchers = self._events.get(what, set())
        watchers.discard(event)
        if not watchers:
            self._events.pop(what, None)

    async def _run(self) -> None:
        wait_s = 0.01
        while True:
            try:
                async with self._link.use() as connection:
                    await connection.execute("LISTEN bus")
                    wait_s = 0.01
                    # Whatever was told while nobody listened is told now, to everybody.
                    for events in self._events.values():
                        _set(events)
                    async for notification in connection.notifies():
                        self._hear(notification.payload)
            except BusUnavailable as error:
                logger.warning("bus unavailable", reason=str(error), where="listen")
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_WAIT_S_MAX)

    def _hear(self, payload: str) -> None:
        topic_id, separator, partitions = payload.partition(":")
        if not separator:
            _set(self._events.get(payload, set()))
            return
        for partition in partitions.split(","):
            _set(self._events.get(f"{topic_id}:{partition}", set()))


def _set(events: set[asyncio.Event]) -> None:
    for event in events:
        event.set()
