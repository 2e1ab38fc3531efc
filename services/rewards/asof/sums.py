"""Balances at a cut, in SQL: the newest snapshot before it, and what moved since.

Transfers are found by BRIN indexes: they lie in the order of their posting, and so nearly in that of their events,
and such an index costs next to nothing when posting. The few that count at another time than their event's have a
B-tree of their own. What a snapshot has not counted, because it was posted after snapshots were last brought up to
date, is found by its block; blocks are numbered in the order of their commits, so nothing can be missed.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from services.rewards.asof.cuts import By, Cut

Cursor = psycopg.Cursor[dict[str, Any]]
RANGES: Final = {
    By.BOOKED: (("t.posted_at", "t.posted_at >= %(since)s::timestamptz AND t.posted_at < %(until)s::timestamptz"),),
    By.EFFECTIVE: (
        (
            "t.event_at",
            "t.news_at IS NULL AND t.event_at >= %(since)s::timestamptz AND t.event_at < %(until)s::timestamptz",
        ),
        ("t.news_at", "t.news_at >= %(since)s::timestamptz AND t.news_at < %(until)s::timestamptz"),
    ),
}
"""The kinds of transfers `t` from %(since)s on and before %(until)s: their time, and how to find them."""

TIMES: Final = {By.BOOKED: "t.posted_at", By.EFFECTIVE: "coalesce(t.news_at, t.event_at)"}
"""The time of a transfer `t` that is found already; no index has it as an expression."""

BEGINNING: Final = "-infinity"
END: Final = "infinity"

SIDES: Final = (
    "SELECT side.account_id, m.unit, side.minor FROM ({moved}) m,"
    " LATERAL (VALUES (m.debit_id, -m.amount_minor), (m.credit_id, m.amount_minor)) side (account_id, minor)"
)
"""Postings (account_id, unit, minor) of the transfers that `moved` finds."""

NEWEST_SNAPSHOT: Final = (
    "SELECT s.id AS snapshot, s.until AS since, m.block FROM rewards.snapshots s, rewards.snapshots_made m"
    " WHERE s.by_time = %(by)s AND s.until <= %(until)s ORDER BY s.until DESC LIMIT 1"
)
"""What `sums_from` goes on from."""

_COLUMNS: Final = "t.debit_id, t.credit_id, t.unit, t.amount_minor"
_MOVED: Final = "SELECT {columns} FROM rewards.transfers t WHERE {found}{side}"
_UNCOUNTED: Final = (
    "SELECT {columns} FROM rewards.blocks b CROSS JOIN unnest(b.ids) AS i (id)"
    " JOIN rewards.transfers t ON t.id = i.id WHERE b.number > %(block)s AND {time} < %(since)s::timestamptz"
)
_SNAPSHOT: Final = (
    "SELECT s.account_id, s.unit, s.minor FROM rewards.balance_snapshots s WHERE s.snapshot_id = %(snapshot)s"
)
_SUMS: Final = "SELECT account_id, unit, sum(minor) AS minor FROM ({sides}) p{of} GROUP BY account_id, unit"


def moved(by: By, side: str = "") -> str:
    """Transfers (debit_id, credit_id, unit, amount_minor) from %(since)s on and before %(until)s."""
    return " UNION ALL ".join(_MOVED.format(columns=_COLUMNS, found=found, side=side) for _, found in RANGES[by])


def sums_at(cursor: Cursor, cut: Cut, *, account: int | None = None) -> tuple[str, dict[str, Any]]:
    """A query of the balances (account_id, unit, minor) at a cut, of all accounts or of one, and its parameters.

    The transaction of the cursor sees one moment, else a snapshot could be older than what is added to it.
    """
    cursor.execute(NEWEST_SNAPSHOT, {"by": cut.by.value, "until": cut.until})
    return sums_from(cursor.fetchone(), cut, account=account)


def sums_from(found: dict[str, Any] | None, cut: Cut, *, account: int | None = None) -> tuple[str, dict[str, Any]]:
    """`sums_at` from the row of NEWEST_SNAPSHOT, where there is one."""
    parameters = (found or {"since": BEGINNING}) | {"until": cut.until, "account": account}
    sides = ("",) if account is None else (" AND t.debit_id = %(account)s", " AND t.credit_id = %(account)s")
    parts = [moved(cut.by, side) for side in sides]
    if found is not None:
        parts.append(_UNCOUNTED.format(columns=_COLUMNS, time=TIMES[cut.by]))
    all_sides = SIDES.format(moved=" UNION ALL ".join(parts))
    if found is not None:
        all_sides += f" UNION ALL {_SNAPSHOT}" + ("" if account is None else " AND s.account_id = %(account)s")
    return _SUMS.format(sides=all_sides, of="" if account is None else " WHERE account_id = %(account)s"), parameters
