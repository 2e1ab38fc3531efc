"""Tells the rules which tier a membership gives, and when that is over: `partner.tier_assigned` on the referrals.

Promises: each telling is in the log at least once, in the order in which they were made, before it counts as told. The
same telling again is the same event, and a tier assigned twice is the same tier (docs/adr/0014-memberships.md).
"""

from __future__ import annotations

from typing import Final

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

logger = log.get(__name__)


class TierTeller:
    """What is to be told, in rounds (`runtime.rounds`) of `tell`. One process tells at a time."""

    def __init__(self, database: Database, bus: Bus, *, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock

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


def _record(event_id: str, programme: str, partner: str, tier: str, at_ms: int, now_ms: int) -> Record:
    headers = event_headers(
        type="partner.tier_assigned", source=LEDGER_SOURCE, id=event_id, time_ms=at_ms, recorded_at_ms=now_ms
    )
    return Record(partner.encode(), encode_data(EventData(programme=programme, partner=partner, tier=tier)), headers)
