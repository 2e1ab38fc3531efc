"""The newest blocks of the chain hold. All of it is what `goodword ledger verify` reads."""

from __future__ import annotations

from typing import Final

from runtime.database import Connection
from services.rewards.invariants.invariant import OFFENDERS_MAX, Offender

BLOCKS_MAX: Final = 64
ROWS_MAX: Final = 4_000
"""Of so many blocks and rows; at least the newest block."""


class ChainHolds:
    """Each of the newest blocks follows the one before it, and its rows are as they were sealed.

    Recomputed in SQL, by another encoder than the one that sealed them. Of an offender, the two numbers are the rows of
    the block and those of them that hold; -1 and 0 where the block itself does not.
    """

    name = "chain-holds"
    broken_means = "a transfer or a block was altered: `goodword ledger verify --bus` names the first one"

    async def check(self, connection: Connection) -> list[Offender]:
        cursor = await connection.execute(
            """
            WITH last AS MATERIALIZED (
                SELECT * FROM rewards.blocks ORDER BY number DESC LIMIT %(blocks_max)s
            ), newest AS MATERIALIZED (
                SELECT l.*, lag(hash) OVER (ORDER BY number) AS hash_before,
                    sum(count) OVER (ORDER BY number DESC) - count AS rows_after
                FROM last l
            ), held AS (
                SELECT b.number, count(*) FILTER (WHERE substring(b.row_hashes, (32 * u.position - 31)::integer, 32)
                    = sha256(rewards.row_bytes_1(t, d.address, c.address))) AS rows
                FROM newest b
                CROSS JOIN unnest(b.ids) WITH ORDINALITY AS u (id, position)
                LEFT JOIN rewards.transfers t ON t.id = u.id
                LEFT JOIN rewards.accounts d ON d.id = t.debit_id
                LEFT JOIN rewards.accounts c ON c.id = t.credit_id
                WHERE b.rows_after < %(rows_max)s
                GROUP BY b.number
            ), judged AS (
                SELECT b.number, b.count, coalesce(h.rows, 0) AS rows, coalesce(b.previous = b.hash_before, true)
                    AND b.hash = sha256('goodword/ledger/block/1'::bytea || int8send(b.number) || b.previous
                        || int4send(b.count) || timestamptz_send(b.sealed_at) || sha256(b.row_hashes)) AS is_whole
                FROM newest b LEFT JOIN held h USING (number)
                WHERE b.rows_after < %(rows_max)s
            )
            SELECT number, CASE WHEN is_whole THEN count ELSE -1 END, CASE WHEN is_whole THEN rows ELSE 0 END
            FROM judged WHERE NOT is_whole OR rows <> count
            ORDER BY number LIMIT %(offenders_max)s
            """,
            {"blocks_max": BLOCKS_MAX, "rows_max": ROWS_MAX, "offenders_max": OFFENDERS_MAX},
        )
        return [Offender(f"block {number}", count, rows) for number, count, rows in await cursor.fetchall()]
