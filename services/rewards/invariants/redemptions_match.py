"""What is reserved is what open redemptions say, and what is taken from the stock, or handed out of codes, likewise."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class RedemptionsMatch:
    """Reserved accounts, stocks and codes agree with the redemptions; nothing is taken that is not there."""

    name = "redemptions-match-reserved"
    broken_means = "something was reserved or handed out twice, or not at all: trust the transfers of the accounts"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            """
            WITH open AS (
                SELECT beneficiary || ':reserved' AS address, unit, sum(price_minor) AS minor
                FROM rewards.redemptions WHERE state = 'reserved' GROUP BY beneficiary, unit
            ), held AS (
                SELECT a.address, b.unit, b.minor
                FROM rewards.balances b JOIN rewards.accounts a ON a.id = b.account_id
                WHERE a.address LIKE '%%:reserved'
            ), taken AS (
                SELECT item_id, sum(quantity) AS quantity
                FROM rewards.redemptions WHERE state <> 'cancelled' GROUP BY item_id
            )
            SELECT * FROM (
                SELECT coalesce(o.address, h.address) || ' ' || unit, coalesce(o.minor, 0) AS expected,
                    coalesce(h.minor, 0) AS found
                FROM open o FULL JOIN held h USING (address, unit)
                UNION ALL
                SELECT 'taken of ' || i.item, coalesce(t.quantity, 0), i.taken
                FROM rewards.catalogue_items i LEFT JOIN taken t ON t.item_id = i.id
                UNION ALL
                SELECT 'codes of redemption ' || r.id, r.quantity, count(c.id)
                FROM rewards.redemptions r LEFT JOIN rewards.redemption_codes c ON c.redemption_id = r.id
                WHERE r.has_codes AND r.state = 'fulfilled' GROUP BY r.id
                UNION ALL
                SELECT 'left of ' || item, 0, stock - taken FROM rewards.catalogue_items WHERE taken > stock
            ) c
            WHERE expected <> found ORDER BY 1 LIMIT %s
            """,
            (OFFENDERS_MAX,),
        )
        return [Offender(where, int(expected), int(found)) for where, expected, found in await cursor.fetchall()]
