"""Payouts are their transfers: each account of a state holds the payouts in it, and conversions add up exactly."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class PayoutsMatch:
    """What the list of payouts says is on its way, paid, charged, converted and rounded, the accounts say too."""

    name = "payouts-match-transfers"
    broken_means = "a payout was booked twice, not at all, or with another amount: send nothing until it is found"

    async def check(self, connection: Connection) -> list[Offender]:
        # What was converted at a rate is rounded once, half-even; what the single payouts have beyond it is rounding.
        cursor = await connection.execute(
            """
            WITH converted AS (
                SELECT programme, from_unit, to_unit, from_minor,
                    div(from_minor * numerator, denominator) AS whole,
                    mod(from_minor * numerator, denominator) * 2 AS twice_rest, denominator
                FROM rewards.conversions
            ), exact AS (
                SELECT programme, from_unit, to_unit, from_minor, whole + CASE
                    WHEN twice_rest > denominator OR (twice_rest = denominator AND mod(whole, 2) = 1) THEN 1 ELSE 0
                    END AS to_minor
                FROM converted
            ), told AS (
                SELECT beneficiary || ':payout:' || state AS address, currency AS unit, pay_minor::numeric AS minor
                FROM rewards.payouts WHERE state IN ('prepared', 'approved', 'sent')
                UNION ALL
                SELECT beneficiary || ':payout:' || state, unit, fee_minor FROM rewards.payouts
                WHERE state IN ('prepared', 'approved', 'sent') AND fee_borne_by = 'partner'
                UNION ALL
                SELECT beneficiary || ':paid', currency, pay_minor FROM rewards.payouts WHERE state = 'settled'
                UNION ALL
                SELECT 'programme:' || programme || ':payout-fees', unit, fee_minor FROM rewards.payouts
                WHERE settled_at_ms IS NOT NULL
                UNION ALL
                SELECT 'programme:' || programme || ':conversion', from_unit, from_minor FROM exact
                UNION ALL
                SELECT 'programme:' || programme || ':conversion', to_unit, -to_minor FROM exact
                UNION ALL
                SELECT 'programme:' || programme || ':rounding', to_unit, to_minor FROM exact
                UNION ALL
                SELECT 'programme:' || programme || ':rounding', currency, -pay_minor FROM rewards.payouts
                WHERE rate IS NOT NULL AND state NOT IN ('returned', 'cancelled')
            ), expected AS (
                SELECT address, unit, sum(minor) AS minor FROM told GROUP BY address, unit
            ), found AS (
                SELECT a.address, b.unit, b.minor::numeric AS minor FROM rewards.balances b
                JOIN rewards.accounts a ON a.id = b.account_id
                WHERE a.address ~ ':(payout:[a-z]+|paid|payout-fees|conversion|rounding)$'
            )
            SELECT address || ' ' || unit, coalesce(e.minor, 0), coalesce(f.minor, 0)
            FROM expected e FULL JOIN found f USING (address, unit)
            WHERE coalesce(e.minor, 0) <> coalesce(f.minor, 0)
            ORDER BY 1 LIMIT %s
            """,
            (OFFENDERS_MAX,),
        )
        return [Offender(where, int(expected), int(found)) for where, expected, found in await cursor.fetchall()]
