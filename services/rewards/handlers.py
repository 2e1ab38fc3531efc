"""The posting consumer: read, decide what to post, post, keep what tiers changed, commit.

Promises: the offset of a batch is committed after its postings are durable and its bad records are in the dead
letters, so nothing is lost; redelivered decisions are dropped by id, so nothing is posted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from contracts.errors import Problem
from contracts.facts import TransferPosted
from runtime.bus.port import Batch, Headers, Received
from runtime.clock import Clock
from services.rewards.decode import DecisionHead, decode_heads
from services.rewards.postings import Careful, plan_transfers


class DeadLetterBox(Protocol):
    """What of `runtime.bus.dead_letters` is used here."""

    async def reject_all(self, topic: str, partition: int, rejected: Sequence[tuple[Received, Problem]]) -> None: ...


class Poster(Protocol):
    """What of `services.rewards.writer` is used here."""

    async def post(self, transfers: Sequence[TransferPosted]) -> None: ...

    async def settle(self, careful: Sequence[Careful]) -> None: ...


class TierKeeper(Protocol):
    """What of `services.rewards.standings` is used here."""

    async def assigned(self, partition: int) -> None: ...

    def revoked(self, partition: int) -> None: ...

    async def keep(self, batch: Batch, indexes: Sequence[int], decisions: Sequence[DecisionHead]) -> None: ...


class PostingOwner:
    """Owner of partitions of the decisions, for `runtime.bus.consumer`."""

    def __init__(self, *, writer: Poster, standings: TierKeeper, dead_letters: DeadLetterBox, clock: Clock) -> None:
        self._writer = writer
        self._standings = standings
        self._dead_letters = dead_letters
        self._clock = clock

    async def assigned(self, topic: str, partition: int) -> int | None:
        """At the group's committed offset: the ledger itself knows what it has."""
        await self._standings.assigned(partition)
        return None

    async def handle(self, batch: Batch) -> None:
        records = batch.records
        decoded = decode_heads([record.value for record in records])
        traceparents = [
            _traceparent(records[index].headers) if decision.granted else ""
            for index, decision in zip(decoded.indexes, decoded.decisions, strict=True)
        ]
        plan = plan_transfers(decoded.decisions, traceparents, posted_at_ms=self._clock.now_ms())
        rejected = [*decoded.bad, *((decoded.indexes[index], problem) for index, problem in plan.refused)]
        await self._dead_letters.reject_all(
            batch.topic, batch.partition, [(records[index], problem) for index, problem in sorted(rejected, key=_index)]
        )
        await self._writer.post(plan.transfers)
        # After the grants of the same batch: a clawback finds what it takes from.
        await self._writer.settle(plan.careful)
        await self._standings.keep(batch, decoded.indexes, decoded.decisions)
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        """Only what has come by is told no further."""
        self._standings.revoked(partition)


def _traceparent(headers: Headers) -> str:
    for name, value in headers:
        if name == "ce_traceparent":
            return value.decode("ascii", "replace")
    return ""


def _index(rejected: tuple[int, Problem]) -> int:
    return rejected[0]
