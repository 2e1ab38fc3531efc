"""The standings follow the log of decisions, each decision once: numbers and offset change in one transaction.

A decision tells the partner's whole number from then on, so one that is published twice (after a crash, or a replay)
leaves the same standings.
"""

from __future__ import annotations

from runtime.bus.port import Batch
from runtime.database import Database
from services.rules.contests.ranks import scores_in
from services.rules.contests.store import next_offset, save


class StandingsOwner:
    """Owner of partitions of the log of decisions, for `runtime.bus.consumer`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def assigned(self, topic: str, partition: int) -> int:
        async with self._database.connection() as connection:
            return await next_offset(connection, partition)

    async def handle(self, batch: Batch) -> None:
        async with self._database.connection() as connection, connection.transaction():
            # Of two processes that hold the partition for a moment one comes after the other.
            known = await next_offset(connection, batch.partition)
            if known < batch.next_offset:
                scores = scores_in(record for record in batch.records if record.offset >= known)
                await save(connection, batch.partition, batch.next_offset, scores)
        await batch.commit()

    async def revoked(self, topic: str, partition: int) -> None:
        """Nothing is kept in memory."""
