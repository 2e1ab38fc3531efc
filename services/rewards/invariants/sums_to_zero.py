"""The trial balance: in every unit, all balances sum to zero."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class SumsToZero:
    """Every transfer takes from one account what it gives to another."""

    name = "trial-balance"
    broken_means = "money was made or lost: the balances of a unit do not sum to zero"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            "SELECT unit, sum(minor) FROM rewards.balances GROUP BY unit HAVING sum(minor) <> 0 ORDER BY unit LIMIT %s",
            (OFFENDERS_MAX,),
        )
        return [Offender(unit, 0, int(minor)) for unit, minor in await cursor.fetchall()]
