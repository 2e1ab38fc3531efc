"""Makes snapshots of balances, and keeps them right when something comes late.

Promises: snapshots never change an answer, only how long it takes; all count exactly the transfers of the blocks up to
the one that `snapshots_made` names, so that what came later is known by its block; whoever drops them loses nothing.
One process works at a time. A snapshot is made where enough transfers lie before it, at an instant that is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from contracts.events import EPOCH
from runtime import log
from runtime.clock import Clock
from runtime.database import Connection, Database
from services.rewards.asof.cuts import By
from services.rewards.asof.sums import BEGINNING, RANGES, SIDES, moved

LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('goodword/rewards/snapshots', 0))"
COUNTED_MAX: Final = 100_000
"""Transfers counted in one transaction, unless one block has more."""
MADE_MAX: Final = 8
"""Snapshots by one of the times that are made in one transaction."""
OVER_MS: Final = 60_000
"""An instant is over when little is still to come that was booked before it; what does come is counted like all else
that is late.
"""
PUT_OFF: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.UniqueViolation,
    psycopg.errors.NumericValueOutOfRange,
)
"""What another process was faster with; and a balance in the middle of history may be out of range although none ever
was as booked.
"""
_TICK: Final = timedelta(microseconds=1)

_STATE: Final = """
SELECT m.block AS counted, c.block AS newest,
    coalesce(max(b.number) FILTER (WHERE b.before < %(count_max)s), m.block) AS last
FROM rewards.snapshots_made m CROSS JOIN rewards.chain c LEFT JOIN LATERAL (
    SELECT number, sum(count) OVER (ORDER BY number) - count AS before FROM rewards.blocks WHERE number > m.block
) b ON true
GROUP BY 1, 2
"""
_COUNT: Final = """
WITH new AS MATERIALIZED (
    SELECT t.debit_id, t.credit_id, t.unit, t.amount_minor, t.posted_at AS booked,
        coalesce(t.news_at, t.event_at) AS effective
    FROM rewards.blocks b CROSS JOIN unnest(b.ids) AS i (id) JOIN rewards.transfers t ON t.id = i.id
    WHERE b.number > %(counted)s AND b.number <= %(last)s
), late AS (
    INSERT INTO rewards.balance_snapshots AS k (snapshot_id, account_id, unit, minor)
    SELECT m.snapshot_id, side.account_id, m.unit, sum(side.minor)::bigint
    FROM (
        SELECT s.id AS snapshot_id, n.* FROM new n JOIN rewards.snapshots s
        ON CASE s.by_time WHEN 'booked' THEN n.booked ELSE n.effective END < s.until
    ) m, LATERAL (VALUES (m.debit_id, -m.amount_minor), (m.credit_id, m.amount_minor)) side (account_id, minor)
    GROUP BY 1, 2, 3
    ON CONFLICT (snapshot_id, account_id, unit) DO UPDATE SET minor = k.minor + excluded.minor
)
UPDATE rewards.snapshots_made SET block = %(last)s,
    effective_count = effective_count + (SELECT count(*) FROM new WHERE effective >= coalesce(
        (SELECT max(until) FROM rewards.snapshots WHERE by_time = 'effective'), '-infinity')),
    booked_count = booked_count + (SELECT count(*) FROM new WHERE booked >= coalesce(
        (SELECT max(until) FROM rewards.snapshots WHERE by_time = 'booked'), '-infinity'))
"""

_ENOUGH: Final = (
    "SELECT CASE %(by)s WHEN 'booked' THEN booked_count ELSE effective_count END AS count,"
    " greatest(%(every)s, (SELECT count(*) FROM rewards.balances) / 2) AS every FROM rewards.snapshots_made"
)
_NEWEST: Final = "SELECT id, until FROM rewards.snapshots WHERE by_time = %s ORDER BY until DESC LIMIT 1"
_INSTANTS: Final = (
    "SELECT n.at, n.no FROM (SELECT m.at, row_number() OVER (ORDER BY m.at) AS no FROM ({times}) m) n"
    " WHERE n.no %% %(every)s = 0 ORDER BY n.no LIMIT %(most)s"
)
_MAKE: Final = (
    "INSERT INTO rewards.balance_snapshots (snapshot_id, account_id, unit, minor)"
    " SELECT %(id)s, p.account_id, p.unit, sum(p.minor)::bigint FROM ({sides} UNION ALL"
    " SELECT account_id, unit, minor FROM rewards.balance_snapshots WHERE snapshot_id = %(before)s"
    ") p GROUP BY 2, 3"
)
_LEFT: Final = {
    By.EFFECTIVE: "UPDATE rewards.snapshots_made SET effective_count = greatest(0, effective_count - %s)",
    By.BOOKED: "UPDATE rewards.snapshots_made SET booked_count = greatest(0, booked_count - %s)",
}

logger = log.get(__name__)


class Snapshots:
    """Makes them in rounds (`runtime.rounds`) of `tick`.

    Args:
        transfers: So many lie between two snapshots by one of the times; half as many as there are balances, where
            that is more, so that snapshots never take more room than the ledger.
    """

    def __init__(self, database: Database, *, clock: Clock, transfers: int) -> None:
        self._database = database
        self._clock = clock
        self._transfers = transfers

    async def tick(self) -> int:
        """Bring the snapshots there are up to date, and make those that are due; returns how many were made.

        Raises:
            psycopg.Error: The database is away, or another process was faster: nothing was done, try again.
        """
        while not await self._count():
            pass
        made = 0
        for by in By:
            while some := await self._make(by):
                made += some
        return made

    async def _count(self) -> bool:
        """Count some of the blocks that are not counted yet; returns whether those were all, or others' work."""
        async with self._database.connection() as connection, connection.transaction():
            if not await _is_alone(connection):
                return True
            return await _count(connection, COUNTED_MAX)

    async def _make(self, by: By) -> int:
        """Make some of the snapshots that are due; returns how many."""
        async with self._database.connection() as connection, connection.transaction():
            # One moment for all: what is visible is what the blocks up to the counted one hold.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not await _is_alone(connection) or not await _count(connection, None):
                return 0
            parameters: dict[str, Any] = {"by": by.value, "every": self._transfers}
            count, every = await _row(connection, _ENOUGH, parameters)
            if count < every:
                return 0
            now = EPOCH + timedelta(milliseconds=self._clock.now_ms() - OVER_MS)
            newest = await _row_or_none(connection, _NEWEST, (by.value,))
            before, since = newest or (None, BEGINNING)
            parameters |= {"since": since, "until": now, "every": every, "most": MADE_MAX}
            times = " UNION ALL ".join(
                f"SELECT {time} AS at FROM rewards.transfers t WHERE {found}"  # noqa: S608  # of sums.RANGES alone
                for time, found in RANGES[by]
            )
            instants = await connection.execute(_INSTANTS.format(times=times), parameters)
            made, passed = 0, 0
            for at, number in await instants.fetchall():
                until: datetime = at + _TICK
                if until == since:
                    continue  # So many of one instant.
                before = await _make_one(connection, by, before, since, until, now_ms=self._clock.now_ms())
                since, made, passed = until, made + 1, number
            await connection.execute(_LEFT[by], (passed,))
            return made


async def _count(connection: Connection, count_max: int | None) -> bool:
    """Add what is late to the snapshots it is missing in; returns whether all blocks are counted now."""
    counted, newest, last = await _row(connection, _STATE, {"count_max": count_max or 2**62})
    if last > counted:
        await connection.execute(_COUNT, {"counted": counted, "last": last})
    return bool(last >= newest)


async def _make_one(
    connection: Connection, by: By, before: int | None, since: datetime | str, until: datetime, *, now_ms: int
) -> int:
    (id,) = await _row(
        connection,
        "INSERT INTO rewards.snapshots (by_time, until, made_at) VALUES (%s, %s, to_timestamp(%s / 1000.0))"
        " RETURNING id",
        (by.value, until, now_ms),
    )
    parameters = {"id": id, "before": before, "since": since, "until": until}
    await connection.execute(_MAKE.format(sides=SIDES.format(moved=moved(by))), parameters)
    return int(id)


async def _is_alone(connection: Connection) -> bool:
    return bool((await _row(connection, LOCK))[0])


async def _row(connection: Connection, query: str, parameters: Any = None) -> tuple[Any, ...]:
    row = await _row_or_none(connection, query, parameters)
    assert row is not None, query
    return row


async def _row_or_none(connection: Connection, query: str, parameters: Any = None) -> tuple[Any, ...] | None:
    return await (await connection.execute(query, parameters)).fetchone()
