"""Balances are what the transfers say. Reads the whole ledger, so it runs seldom."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class BalancesMatch:
    """A balance is the sum of its postings; an account without postings has none."""

    name = "balances-match-transfers"
    broken_means = "a balance is not the sum of its postings: trust the transfers, which nobody can alter"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            """
            SELECT coalesce(a.address, 'account ' || account_id) || ' ' || unit, s.minor, b.minor
            FROM (
                SELECT account_id, unit, sum(minor) AS minor
                FROM (
                    SELECT debit_id AS account_id, unit, -amount_minor::numeric AS minor FROM rewards.transfers
                    UNION ALL
                    SELECT credit_id, unit, amount_minor FROM rewards.transfers
                ) p
                GROUP BY account_id, unit
            ) s
            FULL JOIN rewards.balances b USING (account_id, unit)
            LEFT JOIN rewards.accounts a ON a.id = account_id
            WHERE s.minor IS DISTINCT FROM b.minor
            ORDER BY 1 LIMIT %s
            """,
            (OFFENDERS_MAX,),
        )
        rows = await cursor.fetchall()
        return [Offender(where, int(expected or 0), int(found or 0)) for where, expected, found in rows]
