"""Keeps the tiers that decisions change as they are posted (docs/adr/0013-standings.md).

Only the rules decide about tiers. Their decisions that change one come by anyway, in the order of the log, so the
newest of each partner is kept beside the ledger. An older one that is delivered again changes nothing. Of each
partition it is known which stretch has come by since it was taken; what was before is `catching_up`'s work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.topics import DECISIONS
from runtime import log
from runtime.bus.port import Batch, Bus
from runtime.database import Database
from services.rewards.decode import DecisionHead
from services.rewards.standings import store
from services.rewards.standings.changes import newest_changes
from services.rewards.store import outages_are_transient

logger = log.get(__name__)


@dataclass(slots=True)
class Stretch:
    """Decisions of a partition that came by here, the end excluded; None before the first."""

    first: int | None = None
    next: int | None = None
    noted: int | None = None
    """How far everything is known to be kept, those of before among them; None before anybody looked."""


class Standings:
    """Keeps the newest tier of each partner. Safe to use from several tasks and processes at once."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self.held: dict[int, Stretch] = {}
        """By partition that is held here."""

    async def assigned(self, partition: int) -> None:
        """Before anything of it comes by.

        Raises:
            TransientError: The bus or the database is away.
        """
        end = (await self._bus.end_offsets(DECISIONS.name)).get(partition, 0)
        with outages_are_transient():
            async with self._database.connection() as connection, connection.transaction():
                done, _ = (await store.read_so_far(connection)).get(partition, (0, 0))
                if done > end:
                    # As when a ledger moves from the log in PostgreSQL to Kafka: offsets begin again.
                    logger.warning("the log was made anew", partition=partition, read=done, end=end)
                    await store.forget_places(connection, partition)
        self.held[partition] = Stretch()

    def revoked(self, partition: int) -> None:
        self.held.pop(partition, None)

    async def keep(self, batch: Batch, indexes: Sequence[int], decisions: Sequence[DecisionHead]) -> None:
        """Keep what a batch says of tiers; durable when it returns. `indexes[i]` is the place of `decisions[i]` in it.

        Raises:
            TransientError: The database is away; give the same batch again.
        """
        records = batch.records
        changes = newest_changes(
            (records[index].offset, decision) for index, decision in zip(indexes, decisions, strict=True)
        )
        if changes:
            with outages_are_transient():
                async with self._database.connection() as connection:
                    # What comes now comes where the partner is now.
                    await store.put(connection, batch.partition, changes, [True] * len(changes))
        stretch = self.held.get(batch.partition)
        if stretch is not None:
            if stretch.first is None:
                stretch.first = records[0].offset
            stretch.next = batch.next_offset
