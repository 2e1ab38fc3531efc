"""Commits of several partitions in one write: each costs a round trip and an fsync, and they come together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Commits:
    """Gathers the commits that come while one is being written, and writes them together.

    `write` gets partition to next offset, and raises for all of them or none.
    """

    def __init__(self, write: Callable[[dict[int, int]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def commit(self, partition: int, next_offset: int) -> None:
        """Durable when it returns; raises what `write` raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((partition, next_offset, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._run(), name="bus-commits")
        await done

    async def _run(self) -> None:
        while self._waiting:
            commits, self._waiting = self._waiting, []
            error: Exception | None = None
            try:
                await self._write({partition: next_offset for partition, next_offset, _ in commits})
            except Exception as failure:  # noqa: BLE001 - told to everybody who waits
                error = failure
            for _, _, done in commits:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
        self._writing = None
