"""What snapshots say, together with what moved since, is what the balances say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import psycopg

from runtime.database import Connection
from services.rewards.asof.cuts import By, Cut
from services.rewards.asof.sums import NEAREST_SNAPSHOT, sums_from, totals_from
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender

_ALL_TIME: Final = datetime.max.replace(tzinfo=UTC)
_DIFFERENT: Final = (
    "SELECT coalesce(a.address, 'account ' || account_id) || ' ' || unit, b.minor, s.minor FROM ({sums}) s"
    " FULL JOIN rewards.balances b USING (account_id, unit) LEFT JOIN rewards.accounts a ON a.id = account_id"
    " WHERE coalesce(s.minor, 0) <> coalesce(b.minor, 0) ORDER BY 1 LIMIT %(most)s"
)
_TOTALS: Final = (
    "SELECT 'total of ' || unit, b.credits, t.credits FROM ({totals}) t FULL JOIN ("
    "SELECT unit, -sum(least(minor, 0)) AS debits, sum(greatest(minor, 0)) AS credits"
    " FROM rewards.balances GROUP BY unit) b USING (unit)"
    " WHERE (coalesce(t.debits, 0), coalesce(t.credits, 0)) <> (coalesce(b.debits, 0), coalesce(b.credits, 0))"
    " ORDER BY 1 LIMIT %(most)s"
)


class SnapshotsMatch:
    """From the newest snapshot by each time, all that moved since leads to the balances."""

    name = "snapshots-match-balances"
    broken_means = "books as of the past may be wrong: empty the tables of snapshots, and they are made anew"

    async def check(self, connection: Connection) -> list[Offender]:
        async with connection.transaction():
            # Two statements that see one moment.
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            offenders = []
            for by in By:
                cut = Cut(by, _ALL_TIME)
                cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
                await cursor.execute(NEAREST_SNAPSHOT, {"by": by.value, "until": cut.until, "before": True})
                newest = await cursor.fetchone()
                if newest is None:
                    continue
                sums, totals = sums_from(newest, cut), totals_from(newest, cut)
                for query, parameters in (
                    (_DIFFERENT.format(sums=sums.text), sums.parameters),
                    (_TOTALS.format(totals=totals.text), totals.parameters),
                ):
                    found = await connection.execute(query, parameters | {"most": OFFENDERS_MAX}, prepare=False)
                    offenders += [
                        Offender(f"{where}, {by.value}", int(expected or 0), int(got or 0))
                        for where, expected, got in await found.fetchall()
                    ]
        return offenders[:OFFENDERS_MAX]
