"""Posts what waits together: many small batches from many partitions become few large postings.

Postings of one programme wait for each other's commit on the programme's balance row anyway, so while one is in
the database the next one gathers. A batch is posted as a whole, and `post` returns when its posting is durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from contracts.facts import TransferPosted
from services.rewards.store import Ledger, Posted

WAITING_MAX: Final = 256
"""Batches that may wait; partitions have one each in hand, so more than that is a programming error."""


class Writer:
    """A component (`start`, `wait`, `stop`) of `runtime.service`.

    Args:
        ledger: Where to post.
        writers_max: Postings in the database at once.
        posting_transfers_max: Transfers of one posting; a single larger batch is posted alone.
        on_posted: Told what became of each posting, once durable.
    """

    name = "writer"

    def __init__(
        self,
        ledger: Ledger,
        *,
        writers_max: int,
        posting_transfers_max: int,
        on_posted: Callable[[Posted], None] = lambda posted: None,
    ) -> None:
        self._ledger = ledger
        self._writers_max = writers_max
        self._transfers_max = posting_transfers_max
        self._on_posted = on_posted
        self._waiting: deque[tuple[Sequence[TransferPosted], asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._work(), name=f"writer-{i}") for i in range(self._writers_max)]

    async def wait(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Consumers stop first, so nothing waits any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def post(self, transfers: Sequence[TransferPosted]) -> None:
        """Post a batch; durable when it returns.

        Raises:
            TransientError: The database is away; give the same batch again.
        """
        if not transfers:
            return
        if len(self._waiting) >= WAITING_MAX:
            raise RuntimeError(f"more than {WAITING_MAX} batches wait to be posted")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((transfers, done))
        self._arrived.set()
        await done

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            batches = self._take()
            if not batches:
                continue
            transfers = [transfer for batch, _ in batches for transfer in batch]
            try:
                posted = await self._ledger.post(transfers)
            except BaseException as error:
                for _, done in batches:
                    if not done.done():
                        done.set_exception(error if isinstance(error, Exception) else ConnectionAbortedError())
                if not isinstance(error, Exception):
                    raise
            else:
                self._on_posted(posted)
                for _, done in batches:
                    if not done.done():
                        done.set_result(None)

    def _take(self) -> list[tuple[Sequence[TransferPosted], asyncio.Future[None]]]:
        """What waits, up to the limit, at least one batch; nothing if another writer was faster."""
        taken: list[tuple[Sequence[TransferPosted], asyncio.Future[None]]] = []
        count = 0
        while self._waiting and (not taken or count + len(self._waiting[0][0]) <= self._transfers_max):
            taken.append(self._waiting.popleft())
            count += len(taken[-1][0])
        if not self._waiting:
            self._arrived.clear()
        return taken
