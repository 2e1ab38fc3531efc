"""Owners for the contract suite: real code that notes what the bus told it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from runtime.bus.port import Batch

DEADLINE_S = 60.0


async def eventually(what: str, check: Callable[[], bool], *, seconds: float = DEADLINE_S) -> None:
    """Poll until the check holds; fail with `what` at the deadline."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.01)


class Recorder:
    """Notes records, assignments and revocations; commits after each batch unless told otherwise."""

    def __init__(
        self,
        *,
        starts: Mapping[int, int] | None = None,
        commits: bool = True,
        before: Callable[[Batch], Awaitable[None]] | None = None,
    ) -> None:
        self.starts = starts or {}
        self.commits = commits
        self.before = before
        self.values: dict[int, list[bytes]] = defaultdict(list)
        self.offsets: dict[int, list[int]] = defaultdict(list)
        self.log: list[tuple[str, int]] = []
        self.busy: set[int] = set()
        self.sizes: list[tuple[int, int]] = []

    @property
    def count(self) -> int:
        return sum(len(values) for values in self.values.values())

    async def assigned(self, topic: str, partition: int) -> int | None:
        self.log.append(("assigned", partition))
        return self.starts.get(partition)

    async def handle(self, batch: Batch) -> None:
        assert batch.partition not in self.busy, "one batch of a partition at a time"
        self.busy.add(batch.partition)
        try:
            self.log.append(("began", batch.partition))
            self.sizes.append((len(batch.records), sum(len(one.key) + len(one.value) for one in batch.records)))
            if self.before is not None:
                await self.before(batch)
            self.values[batch.partition] += [one.value for one in batch.records]
            self.offsets[batch.partition] += [one.offset for one in batch.records]
            if self.commits:
                await batch.commit()
            self.log.append(("ended", batch.partition))
        finally:
            self.busy.discard(batch.partition)

    async def revoked(self, topic: str, partition: int) -> None:
        assert partition not in self.busy, "revoked only after the batch in hand"
        self.log.append(("revoked", partition))
