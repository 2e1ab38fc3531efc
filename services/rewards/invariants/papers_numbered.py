"""The numbers of issued papers have no gaps, and no issued paper is missing."""

from __future__ import annotations

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender


class PapersNumbered:
    """Of each year of an issuer there are as many papers as numbers were taken, and the last has the last number."""

    name = "papers-without-gaps"
    broken_means = "an invoice number is missing: somebody with full access removed a paper, or changed a series"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            """
            SELECT s.issuer || ' ' || s.year, s.last_no, count(i.no)
            FROM rewards.invoice_series s LEFT JOIN rewards.invoices i USING (issuer, year)
            GROUP BY s.issuer, s.year, s.last_no
            -- Numbers of a year are unique and above zero: so many of them, the last one this, leave no gap.
            HAVING count(i.no) <> s.last_no OR coalesce(max(i.no), 0) <> s.last_no
            ORDER BY 1 LIMIT %s
            """,
            (OFFENDERS_MAX,),
        )
        return [Offender(where, int(expected), int(found)) for where, expected, found in await cursor.fetchall()]
