"""Tells the rules which tier a membership gives, and when that is over: `partner.tier_assigned` on the referrals.

Promises: each telling is in the log at least once, in the order in which they were made, before it counts as told. The
same telling again is the same event, and a tier assigned twice is the same tier (docs/adr/0014-memberships.md).
"""

from __future__ import annotations

import asyncio
from typing import Final

from contracts.errors import TransientError
from contracts.events import EventData, encode_data, event_headers
from contracts.facts import LEDGER_SOURCE
from contracts.topics import REFERRALS
from runtime import log
from runtime.bus.port import Bus, Record
from runtime.clock import Clock
from runtime.database import Database
from services.rewards.store import outages_are_transient

LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('goodword/rewards/tiers', 0))"
TELLINGS_MAX: Final = 500
RETRY_WAIT_S: Final = 2.0

logger = log.get(__name__)


class TierTeller:
    """A component (`start`, `wait`, `stop`) of `runtime.service`. One process tells at a time."""

    name = "tier-teller"

    def __init__(self, database: Database, bus: Bus, *, clock: Clock, every_s: float) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tier-teller")

    async def wait(self) -> None:
        assert self._task is not None, "start first"
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """What is in hand is told again by the next process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tell(self) -> int:
        """Tell what is to be told; returns how many.

        Raises:
            TransientError: The database or the log is away.
        """
        with outages_are_transient():
            async with self._database.connection() as connection, connection.transaction():
                turn = await (await connection.execute(LOCK)).fetchone()
                if not turn or not turn[0]:
                    return 0
                cursor = await connection.execute(
                    "SELECT id, event_id, programme, partner, tier, at_ms FROM rewards.tier_tellings"
                    " WHERE told_at_ms IS NULL ORDER BY id LIMIT %s",
                    (TELLINGS_MAX,),
                )
                rows = await cursor.fetchall()
                if not rows:
                    return 0
                now_ms = self._clock.now_ms()
                records = [
                    _record(event_id, programme, partner, tier, at_ms, now_ms)
                    for _, event_id, programme, partner, tier, at_ms in rows
                ]
                await self._bus.publish(REFERRALS.name, records)
                await connection.execute(
                    "UPDATE rewards.tier_tellings SET told_at_ms = %s WHERE id = ANY (%s)",
                    (now_ms, [row[0] for row in rows]),
                )
                return len(rows)

    async def _run(self) -> None:
        while True:
            try:
                await self.tell()
            except TransientError as error:
                logger.warning("tiers are told later", reason=str(error))
                await asyncio.sleep(RETRY_WAIT_S)
            await asyncio.sleep(self._every_s)


def _record(event_id: str, programme: str, partner: str, tier: str, at_ms: int, now_ms: int) -> Record:
    headers = event_headers(
        type="partner.tier_assigned", source=LEDGER_SOURCE, id=event_id, time_ms=at_ms, recorded_at_ms=now_ms
    )
    return Record(partner.encode(), encode_data(EventData(programme=programme, partner=partner, tier=tier)), headers)
