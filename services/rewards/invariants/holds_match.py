"""What is on hold is what the pending accounts hold, so no hold was resolved twice, and none was forgotten."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class HoldsMatch:
    """A pending account's balance is the sum of the holds that are still to be resolved."""

    name = "holds-match-pending"
    broken_means = "a hold was resolved twice or not at all: the pending account tells which, by its transfers"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            """
            SELECT coalesce(h.address, p.address) || ' ' || unit, coalesce(h.minor, 0), coalesce(p.minor, 0)
            FROM (
                SELECT beneficiary || ':pending' AS address, unit, sum(pending_minor) AS minor
                FROM rewards.lives WHERE pending_minor > 0 GROUP BY beneficiary, unit
            ) h
            FULL JOIN (
                SELECT a.address, b.unit, b.minor FROM rewards.balances b
                JOIN rewards.accounts a ON a.id = b.account_id
                WHERE a.address LIKE '%%:pending' AND b.minor <> 0
            ) p USING (address, unit)
            WHERE h.minor IS DISTINCT FROM p.minor
            ORDER BY 1 LIMIT %s
            """,
            (OFFENDERS_MAX,),
        )
        return [Offender(where, int(expected), int(found)) for where, expected, found in await cursor.fetchall()]
