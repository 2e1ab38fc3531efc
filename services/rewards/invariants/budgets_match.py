"""What budgets say is left is what their accounts hold, and nobody waits for a budget without being counted."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class BudgetsMatch:
    """A budget's row and the balance of its account say the same."""

    name = "budgets-match-accounts"
    broken_means = "a budget lets through more or less than it has: trust the transfers of its account"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            """
            SELECT address || ' ' || unit, balance, left_minor FROM (
                SELECT a.address, b.unit, coalesce(s.minor, 0) AS balance, b.left_minor
                FROM rewards.budgets b
                JOIN rewards.accounts a ON a.address = 'programme:' || b.programme || ':budget:' || b.budget
                    || CASE WHEN b.period = '' THEN '' ELSE ':' || b.period END
                LEFT JOIN rewards.balances s ON s.account_id = a.id AND s.unit = b.unit
                UNION ALL
                SELECT 'waiting for budget ' || b.id, b.unit, count(l.decision_id), b.waiting
                FROM rewards.budgets b LEFT JOIN rewards.lives l ON l.waits_for_budget = b.id
                GROUP BY b.id
            ) c
            WHERE balance <> left_minor ORDER BY 1 LIMIT %s
            """,
            (OFFENDERS_MAX,),
        )
        return [Offender(where, int(expected), int(found)) for where, expected, found in await cursor.fetchall()]
