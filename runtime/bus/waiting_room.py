"""Where publishes wait for the next write: bounded in bytes and in time.

Many small publishes are usual and one durable write takes a millisecond, so what waits is written together
(group commit). A publish that waited too long before its write began is taken out and certainly not written;
one whose write had begun may have been written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from runtime.bus.port import BusUnavailable

WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
"""More than this waiting, and a publish waits for room; what is refused in the end costs no memory."""
GROUP_BYTES_MAX: Final = 4 * 1024 * 1024
"""A write takes what waits up to this size, and at least one publish."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Waiting(Generic[T]):
    """One publish: what to write and the future that its caller awaits."""

    payload: T
    size: int
    done: asyncio.Future[None]

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class WaitingRoom(Generic[T]):
    """A queue between publishers (`submit`) and the one task that writes (`take`)."""

    def __init__(self, *, wait_s_max: float) -> None:
        self._wait_s_max = wait_s_max
        self._queue: deque[Waiting[T]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._freed = asyncio.Event()
        self._is_closed = False

    async def submit(self, payload: T, size: int) -> None:
        """Wait until the payload is durable. Raises BusUnavailable after `wait_s_max`, or what the writer set."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait_s_max
        while self._bytes and self._bytes + size > WAITING_BYTES_MAX:
            self._freed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._freed.wait()
            except TimeoutError:
                raise BusUnavailable("too much waits for the log already; not written") from None
        if self._is_closed:
            raise BusUnavailable("the bus is closed")
        waiting = Waiting(payload, size, loop.create_future())
        self._bytes += size
        waiting.done.add_done_callback(lambda _: self._release(size))
        self._queue.append(waiting)
        self._filled.set()
        try:
            await asyncio.wait({waiting.done}, timeout=max(0.0, deadline - loop.time()))
        except asyncio.CancelledError:
            self._withdraw(waiting)
            raise
        if waiting.done.done():
            return waiting.done.result()
        if self._withdraw(waiting):
            raise BusUnavailable(f"the log did not answer for {self._wait_s_max:g} s; not written")
        raise BusUnavailable(f"the log did not confirm within {self._wait_s_max:g} s; it may have been written")

    async def wait_filled(self) -> None:
        """Return when somebody waits."""
        await self._filled.wait()

    def take(self) -> list[Waiting[T]]:
        """What is to be written next, in order; empty when nobody waits any more."""
        group: list[Waiting[T]] = []
        size = 0
        while self._queue and (not group or size + self._queue[0].size <= GROUP_BYTES_MAX):
            waiting = self._queue.popleft()
            group.append(waiting)
            size += waiting.size
        if not self._queue:
            self._filled.clear()
        return group

    async def wait_empty(self) -> None:
        """Return when nobody waits for a write to begin."""
        while self._queue:
            self._freed.clear()
            await self._freed.wait()

    def close(self, error: BaseException | None = None) -> None:
        """Refuse newcomers; with an error, fail those who wait as well."""
        self._is_closed = True
        if error is not None:
            while self._queue:
                self._queue.popleft().fail(error)

    def _withdraw(self, waiting: Waiting[T]) -> bool:
        """Take a publish out unless its write has begun. Returns whether it certainly is not written."""
        # Nobody awaits the future any more; its late outcome must not be reported as never retrieved.
        waiting.done.add_done_callback(lambda done: done.cancelled() or done.exception())
        if waiting not in self._queue:
            return False
        self._queue.remove(waiting)
        if not self._queue:
            self._filled.clear()
        waiting.done.cancel()
        return True

    def _release(self, size: int) -> None:
        self._bytes -= size
        self._freed.set()
