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
from services.rewards.asof.late import COUNT
from services.rewards.asof.sums import BEGINNING, CREDITS_MORE, DEBITS_MORE, LAST_KEPT, moved

LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('goodword/rewards/snapshots', 0))"
COUNTED_MAX: Final = 100_000
"""Transfers counted in one transaction, unless one block has more."""
MADE_MAX: Final = 32
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
_COUNTED: Final = {By.EFFECTIVE: "effective_count", By.BOOKED: "booked_count"}
_NEWEST: Final = "SELECT number, until FROM rewards.snapshots WHERE by_time = %s ORDER BY until DESC LIMIT 1"
_INSTANTS: Final = (
    "SELECT DISTINCT n.at FROM (SELECT m.at, row_number() OVER (ORDER BY m.at) AS no FROM ({times}) m) n"
    " WHERE n.no %% %(every)s = 0 ORDER BY n.at"
)
_NEW: Final = (
    "INSERT INTO rewards.snapshots (by_time, number, until, made_at)"
    " SELECT %(by)s, %(first)s + n.index - 1, n.until, to_timestamp(%(now_ms)s / 1000.0)"
    " FROM unnest(%(untils)s::timestamptz[]) WITH ORDINALITY n (until, index)"
)
_MAKE: Final = f"""
WITH changed AS MATERIALIZED (
    SELECT b.*, coalesce(k.minor, 0) + sum(moved) OVER (
        PARTITION BY b.account_id, b.unit ORDER BY b.number) AS minor
    FROM (
        SELECT side.account_id, m.unit, %(first)s + width_bucket(m.at, %(untils)s::timestamptz[]) AS number,
            sum(side.minor) AS moved, count(*) AS postings
        FROM ({{moved}}) m,
            LATERAL (VALUES (m.debit_id, -m.amount_minor), (m.credit_id, m.amount_minor)) side (account_id, minor)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ) b LEFT JOIN {LAST_KEPT.format(by="%(by)s", of="b", until="< %(first)s")} k ON true
), kept AS (
    INSERT INTO rewards.balance_snapshots (by_time, account_id, unit, number, minor, postings)
    SELECT %(by)s, account_id, unit, number, minor::bigint, postings FROM changed
), totals AS (
    INSERT INTO rewards.snapshot_totals (by_time, number, unit, debits, credits)
    SELECT %(by)s, number, unit, sum({DEBITS_MORE}), sum({CREDITS_MORE}) FROM changed GROUP BY number, unit
)
UPDATE rewards.snapshots_made SET {{counted}} = greatest(0, {{counted}} - (SELECT sum(postings) / 2 FROM changed))
""".format(  # noqa: S608  # of constants alone
    before="minor - moved", after="minor", moved="{moved}", counted="{counted}"
)
"""Accounts in their order, so that each page of the index is visited once, however many snapshots are made."""

logger = log.get(__name__)


class Snapshots:
    """Makes them in rounds (`runtime.rounds`) of `tick`.

    Args:
        transfers: So many lie between two snapshots by one of the times.
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
            due = await self._due(by)
            for start in range(0, len(due), MADE_MAX):
                made += await self._make(by, due[start : start + MADE_MAX])
        return made

    async def _count(self) -> bool:
        """Count some of the blocks that are not counted yet; returns whether those were all, or others' work."""
        async with self._database.connection() as connection, connection.transaction():
            if not await _is_alone(connection):
                return True
            return await _count(connection, COUNTED_MAX)

    async def _due(self, by: By) -> list[datetime]:
        """The instants of snapshots to make."""
        async with self._database.connection() as connection, connection.transaction():
            (count,) = await _row(connection, f"SELECT {_COUNTED[by]} FROM rewards.snapshots_made")  # noqa: S608  # of two names
            if count < self._transfers:
                return []
            _, since = await _newest(connection, by)
            now = EPOCH + timedelta(milliseconds=self._clock.now_ms() - OVER_MS)
            found = await connection.execute(
                _INSTANTS.format(times=moved(by)),
                {"since": since, "until": now, "every": self._transfers},
                prepare=False,
            )
            return [at + _TICK for (at,) in await found.fetchall()]

    async def _make(self, by: By, untils: list[datetime]) -> int:
        """Make snapshots at instants; returns how many, for another process may have made some."""
        async with self._database.connection() as connection, connection.transaction():
            # One moment for all: what is visible is what the blocks up to the counted one hold.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not await _is_alone(connection) or not await _count(connection, None):
                return 0
            number, since = await _newest(connection, by)
            new = [until for until in untils if since == BEGINNING or until > since]
            if new:
                await connection.execute("SET LOCAL work_mem = '64MB'")
                parameters: dict[str, Any] = {
                    "by": by.value,
                    "first": number + 1,
                    "untils": new,
                    "now_ms": self._clock.now_ms(),
                }
                await connection.execute(_NEW, parameters)
                query = _MAKE.format(moved=moved(by), counted=_COUNTED[by])
                parameters |= {"since": since, "until": new[-1]}
                # Not prepared: a plan for any instants would be one for none, for how much lies between decides.
                await connection.execute(query, parameters, prepare=False)
            return len(new)


async def _newest(connection: Connection, by: By) -> tuple[int, Any]:
    """The newest snapshot's number and instant."""
    return await _row_or_none(connection, _NEWEST, (by.value,)) or (0, BEGINNING)


async def _count(connection: Connection, count_max: int | None) -> bool:
    """Add what is late to the snapshots it is missing in; returns whether all blocks are counted now."""
    counted, newest, last = await _row(connection, _STATE, {"count_max": count_max or 2**62})
    if last > counted:
        await connection.execute(COUNT, {"counted": counted, "last": last}, prepare=False)
    return bool(last >= newest)


async def _is_alone(connection: Connection) -> bool:
    return bool((await _row(connection, LOCK))[0])


async def _row(connection: Connection, query: str, parameters: Any = None) -> tuple[Any, ...]:
    row = await _row_or_none(connection, query, parameters)
    assert row is not None, query
    return row


async def _row_or_none(connection: Connection, query: str, parameters: Any = None) -> tuple[Any, ...] | None:
    return await (await connection.execute(query, parameters)).fetchone()
