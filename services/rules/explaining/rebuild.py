"""What is kept for explanations, anew from the log: `goodword rebuild history`.

Safe while the service runs: whoever stores a piece first has stored it, the other goes on behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contracts.topics import REFERRALS
from runtime.bus.open import bus_of
from runtime.database import Database
from runtime.migrations import migrate_unless_stopped
from services.rules.explaining.keep import Busyness, HistoryOwner, Moved
from services.rules.settings import NAME, RulesSettings

Progress = Callable[[int, int, int], None]
"""Called with partition, records kept, records to keep."""
STEP_RECORDS: Final = 20_000


async def rebuild_history(settings: RulesSettings, *, progress: Progress | None = None) -> int:
    """Empty the tables and fill them from the log; returns how many records it holds.

    Raises:
        PermanentError: `log-starts-late`.
        TransientError: A server is away; start again.
    """
    await migrate_unless_stopped(settings.postgres, NAME)
    bus = bus_of(settings, client="goodword-rebuild")
    database = Database(settings.postgres, application="rebuild", connections_max=1)
    owner = HistoryOwner(bus=bus, database=database, busyness=Busyness(batch_records_max=settings.batch_records_max))
    await bus.start()
    try:
        await database.start()
        async with database.connection() as connection:
            await connection.execute(
                "TRUNCATE rules.history_positions, rules.history_events, rules.history_partners, rules.history_chunks,"
                " rules.history_sources"
            )
        ends = await bus.end_offsets(REFERRALS.name)
        for partition, end in ends.items():
            await _fill(owner, partition, end, progress)
        return sum(ends.values())
    finally:
        await database.stop()
        await bus.close()


async def _fill(owner: HistoryOwner, partition: int, end: int, progress: Progress | None) -> None:
    reached = 0
    while reached < end:
        try:
            reached = await owner.catch_up(partition, min(end, reached + STEP_RECORDS))
        except Moved:
            continue
        if progress is not None:
            progress(partition, min(reached, end), end)
