"""A ledger of any size, made in the database itself in minutes: every invariant holds, and its chain is whole.

Two years of events in the order of their time, posted a minute later, one in a hundred up to a year late; one hot
programme account; most transfers grant, some take back, some count at another time than their event's. Made of numbers
alone, so the same sizes give the same money.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

FIRST: Final = datetime(2024, 1, 1, tzinfo=UTC)
SPAN: Final = timedelta(days=730)
PROGRAMME: Final = "crm-sales"
COST: Final = f"programme:{PROGRAMME}:cost"
"""The hot account."""
CHUNK: Final = 100_000
BLOCK: Final = 4_000
AT_ONCE: Final = 2

_ACCOUNTS: Final = (
    "INSERT INTO rewards.accounts (address) SELECT %(cost_address)s UNION ALL"
    " SELECT 'partner:p' || n || ':available' FROM generate_series(1, %(accounts)s) n"
)
_TRANSFERS: Final = """
WITH made AS (
    INSERT INTO rewards.transfers AS t (
        id, group_id, decision_id, debit_id, credit_id, amount_minor, event_hash, event_at, posted_at, revision, stage,
        unit, programme, rule, partner, event_source, event_id, deal, news_at)
    SELECT id, id, id, CASE WHEN takes_back THEN partner ELSE %(cost)s END,
        CASE WHEN takes_back THEN %(cost)s ELSE partner END, 100 + no %% 9973,
        ('x' || substr(digest, 17, 16))::bit(64)::bigint, event_at, posted_at, 1,
        CASE WHEN takes_back THEN 'clawed_back' ELSE 'granted' END, CASE no %% 10 WHEN 0 THEN 'POINTS' ELSE 'USD' END,
        %(programme)s, 'commission', 'p' || (partner - %(cost)s), 'crm/acme', 'opp-' || no || '-won', no::text,
        CASE WHEN no %% 33 = 0 THEN posted_at END
    FROM (
        SELECT no, digest, posted_at, event_at, no %% 20 = 7 AS takes_back,
            %(cost)s + 1 + (no * 7919) %% %(accounts)s AS partner,
            (lpad(to_hex((extract(epoch FROM event_at) * 1000)::bigint), 12, '0') || '8' || substr(digest, 1, 3)
                || '8' || substr(digest, 4, 15))::uuid AS id
        FROM (
            SELECT no, md5(no::text) AS digest, on_time + interval '1 minute' AS posted_at,
                CASE WHEN no %% 100 = 3 THEN on_time - no %% 365 * interval '1 day' ELSE on_time END AS event_at
            FROM (
                SELECT no, date_trunc('milliseconds', %(first)s + no * %(step)s::interval) AS on_time
                FROM generate_series(%(from)s::bigint, %(to)s::bigint) no
            ) times
        ) events
    ) rows
    RETURNING t.id, t.deal::bigint / %(block)s AS block, t.posted_at, sha256(rewards.row_bytes_1(t,
        CASE t.stage WHEN 'granted' THEN %(cost_address)s ELSE 'partner:' || t.partner || ':available' END,
        CASE t.stage WHEN 'granted' THEN 'partner:' || t.partner || ':available' ELSE %(cost_address)s END)) AS hash
)
SELECT rewards.seal(ids, hashes) FROM (
    SELECT array_agg(id ORDER BY id) AS ids, string_agg(hash, '' ORDER BY id) AS hashes
    FROM made GROUP BY block ORDER BY min(posted_at)
) blocks
"""
_BALANCES: Final = """
INSERT INTO rewards.balances (account_id, unit, minor)
SELECT account_id, unit, sum(minor) FROM (
    SELECT debit_id AS account_id, unit, -amount_minor AS minor FROM rewards.transfers
    UNION ALL SELECT credit_id, unit, amount_minor FROM rewards.transfers
) p GROUP BY 1, 2 ORDER BY 1, 2
"""


def fill(
    postgres: str,
    *,
    transfers: int,
    accounts: int,
    is_chained: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Fill an empty, migrated ledger. Indexes are made anew in the end, which takes a third of keeping them.

    Args:
        postgres: URL, as the owner of the schema.
        transfers: How many.
        accounts: Of partners; each gets the same number of transfers.
        is_chained: Whether to seal blocks over all of it, which takes two thirds of the time, and which reads ignore.
        progress: Told how many transfers there are.
    """
    with psycopg.connect(postgres, autocommit=True) as owner:
        months = [(FIRST - timedelta(days=365) + timedelta(days=28 * n)).date() for n in range(1, 43)]
        owner.execute("SELECT rewards.open_months(%s::date[])", (months,))
        owner.execute(_ACCOUNTS, {"cost_address": COST, "accounts": accounts})
        cost = owner.execute("SELECT min(id) FROM rewards.accounts").fetchone()
        indexes = owner.execute(
            "SELECT format('DROP INDEX rewards.%I', indexname), replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes"
            " WHERE schemaname = 'rewards' AND tablename = 'transfers' AND indexname <> 'transfers_pkey'"
        ).fetchall()
        for drop, _ in indexes:
            owner.execute(drop)
        known = {
            "cost": cost and cost[0],
            "accounts": accounts,
            "programme": PROGRAMME,
            "cost_address": COST,
            "first": FIRST,
            "step": SPAN / transfers,
            "block": BLOCK,
        }
        query = _TRANSFERS if is_chained else _TRANSFERS.partition("    RETURNING")[0].partition("(")[2]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = [min(start + CHUNK, transfers) for start in range(0, transfers, CHUNK)]
            work = [
                known | {"from": start, "to": end - 1}
                for start, end in zip(range(0, transfers, CHUNK), ends, strict=True)
            ]
            for end, _ in zip(ends, pool.map(lambda chunk: _fill(postgres, chunk, query), work), strict=True):
                progress(end)
        owner.execute("SET maintenance_work_mem = '256MB'")
        for _, create in indexes:
            owner.execute(create)
        owner.execute("SET work_mem = '256MB'")
        owner.execute(_BALANCES)
        if not is_chained:
            # Counting goes by blocks; without them it has to be told.
            counted = {"count": transfers}
            owner.execute(
                "UPDATE rewards.snapshots_made SET effective_count = %(count)s, booked_count = %(count)s", counted
            )
        # What is posted day by day is vacuumed day by day.
        owner.execute("VACUUM (ANALYZE) rewards.transfers, rewards.balances, rewards.accounts, rewards.blocks")


def _fill(postgres: str, chunk: dict[str, object], query: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(query, chunk)
