"""Counts what was posted since snapshots were last brought up to date: what is late is added to all that it belongs to.

One statement. A late posting belongs to the first snapshot after its time and, because a row holds a whole balance, to
all later rows of its account; the totals change where one of these rows does.
"""

from __future__ import annotations

from typing import Final

from services.rewards.asof.sums import CREDITS_MORE, DEBITS_MORE, LAST_KEPT

COUNT: Final = f"""
WITH new AS MATERIALIZED (
    SELECT t.debit_id, t.credit_id, t.unit, t.amount_minor, time.by_time, time.at
    FROM rewards.blocks b CROSS JOIN unnest(b.ids) AS i (id) JOIN rewards.transfers t ON t.id = i.id,
    LATERAL (VALUES ('effective'::rewards.by_time, coalesce(t.news_at, t.event_at)), ('booked', t.posted_at))
        time (by_time, at)
    WHERE b.number > %(counted)s AND b.number <= %(last)s
), newest AS (
    SELECT by_time, max(until) AS until FROM rewards.snapshots GROUP BY by_time
), late AS MATERIALIZED (
    SELECT n.by_time, side.account_id, n.unit, n.number, sum(side.minor) AS moved, count(*) AS postings
    FROM (
        SELECT n.*, (
            SELECT s.number FROM rewards.snapshots s WHERE s.by_time = n.by_time AND s.until > n.at
            ORDER BY s.until LIMIT 1
        ) AS number
        FROM new n JOIN newest USING (by_time) WHERE n.at < newest.until
    ) n, LATERAL (VALUES (n.debit_id, -n.amount_minor), (n.credit_id, n.amount_minor)) side (account_id, minor)
    GROUP BY 1, 2, 3, 4
), touched AS (
    SELECT by_time, account_id, unit, number, sum(moved) AS moved, sum(postings) AS postings, max(minor) AS minor
    FROM (
        SELECT by_time, account_id, unit, number, moved, postings, NULL::bigint AS minor FROM late
        UNION ALL
        SELECT by_time, account_id, unit, k.number, 0, k.postings, k.minor
        FROM (SELECT by_time, account_id, unit, min(number) AS first FROM late GROUP BY 1, 2, 3) l
        JOIN rewards.balance_snapshots k USING (by_time, account_id, unit) WHERE k.number >= l.first
    ) both_kinds GROUP BY 1, 2, 3, 4
), changed AS MATERIALIZED (
    SELECT t.by_time, t.account_id, t.unit, t.number, t.postings, coalesce(t.minor, k.minor, 0) AS before,
        sum(t.moved) OVER (PARTITION BY t.by_time, t.account_id, t.unit ORDER BY t.number) AS moved
    FROM touched t LEFT JOIN {LAST_KEPT.format(by="t.by_time", of="t", until="< t.number")} k ON t.minor IS NULL
), kept AS (
    INSERT INTO rewards.balance_snapshots (by_time, account_id, unit, number, minor, postings)
    SELECT by_time, account_id, unit, number, (before + moved)::bigint, postings FROM changed
    ON CONFLICT (by_time, account_id, unit, number) DO UPDATE
        SET minor = excluded.minor, postings = excluded.postings
), totals AS (
    INSERT INTO rewards.snapshot_totals AS k (by_time, number, unit, debits, credits)
    SELECT by_time, number, unit, sum(debits), sum(credits) FROM (
        SELECT by_time, number, unit, debits - lag(debits, 1, 0::numeric) OVER later AS debits,
            credits - lag(credits, 1, 0::numeric) OVER later AS credits
        FROM (
            SELECT *, {DEBITS_MORE.format(before="before", after="before + moved")} AS debits,
                {CREDITS_MORE.format(before="before", after="before + moved")} AS credits
            FROM changed
        ) c WINDOW later AS (PARTITION BY by_time, account_id, unit ORDER BY number)
    ) steps GROUP BY 1, 2, 3
    ON CONFLICT (by_time, number, unit) DO UPDATE
        SET debits = k.debits + excluded.debits, credits = k.credits + excluded.credits
)
UPDATE rewards.snapshots_made SET block = %(last)s, effective_count = effective_count + n.effective,
    booked_count = booked_count + n.booked
FROM (
    SELECT count(*) FILTER (WHERE by_time = 'effective') AS effective,
        count(*) FILTER (WHERE by_time = 'booked') AS booked
    FROM new LEFT JOIN newest USING (by_time) WHERE newest.until IS NULL OR new.at >= newest.until
) n
"""  # noqa: S608  # of constants alone
"""Of the blocks after %(counted)s, up to %(last)s."""
