"""Makes the partitions that months need; nothing else depends on their being there.

Promises: no posting ever fails for want of a partition: what no month has goes into `transfers_other`, and how much
that is, is a gauge. A month is made outside of any transaction, before the first posting that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from runtime import log
from runtime.database import Connection, Database
from services.rewards.partitions.months import days_of, months_ahead, months_of

DAYS_CACHE_MAX: Final = 50_000
COUNTED_MAX: Final = 100_000
"""More transfers than these in `transfers_other` are not counted: that they are many is known then."""

logger = log.get(__name__)


class Months:
    """Remembers which days have had their months made, or tried: a month is tried once by each process."""

    def __init__(self) -> None:
        self._days: set[int] = set()

    async def open(self, connection: Connection, times_ms: Iterable[int]) -> None:
        """Make the months of these events. Not within a transaction, whose end would decide about the partition."""
        missing = days_of(times_ms) - self._days
        if not missing:
            return
        await open_months(connection, months_of(missing))
        if len(self._days) > DAYS_CACHE_MAX:
            self._days.clear()
        self._days |= missing

    def forget(self) -> None:
        """The server may have been restored to a time when a month was not made yet."""
        self._days.clear()


async def open_ahead(database: Database, now_ms: int) -> None:
    """Make this month and the next ones."""
    async with database.connection() as connection:
        await open_months(connection, months_ahead(now_ms))


async def open_months(connection: Connection, months: list[date]) -> None:
    if months:
        cursor = await connection.execute("SELECT unnest(rewards.open_months(%s::date[]))", (months,))
        made = [name for (name,) in await cursor.fetchall()]
        if made:
            logger.info("partitions made", partitions=made)


async def count_other(database: Database) -> int:
    """How many transfers lie in no month's partition, up to COUNTED_MAX."""
    rows = await database.fetch_all(
        "SELECT count(*) FROM (SELECT FROM rewards.transfers_other LIMIT %(count_max)s) o", {"count_max": COUNTED_MAX}
    )
    return int(rows[0][0])
