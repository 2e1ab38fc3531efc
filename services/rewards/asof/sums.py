"""Balances at a cut, in SQL: the nearest snapshot, and what moved between it and the cut.

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

SIDES_BACK: Final = SIDES.replace("-m.amount_minor", "m.amount_minor").replace(
    "m.credit_id, m.amount_minor", "m.credit_id, -m.amount_minor"
)
"""The same, undone."""

NEAREST_SNAPSHOT: Final = (
    "SELECT s.id AS snapshot, s.until AS snapshot_at, m.block FROM rewards.snapshots s, rewards.snapshots_made m"
    " WHERE s.by_time = %(by)s AND (s.until <= %(until)s OR NOT %(before)s)"
    " ORDER BY greatest(s.until - %(until)s, %(until)s - s.until), s.until LIMIT 1"
)
"""What `sums_from` goes on from, or back from."""

_COLUMNS: Final = "t.debit_id, t.credit_id, t.unit, t.amount_minor"
_MOVED: Final = "SELECT {columns} FROM rewards.transfers t WHERE {found}{side}"
_UNCOUNTED: Final = (
    "SELECT {columns} FROM rewards.blocks b CROSS JOIN unnest(b.ids) AS i (id)"
    " JOIN rewards.transfers t ON t.id = i.id WHERE b.number > %(block)s AND {time} < %(snapshot_at)s::timestamptz"
)
_SNAPSHOT: Final = (
    "SELECT s.account_id, s.unit, s.minor FROM rewards.balance_snapshots s WHERE s.snapshot_id = %(snapshot)s"
)
_SUMS: Final = "SELECT account_id, unit, sum(minor) AS minor FROM ({sides}) p{of} GROUP BY account_id, unit"


def moved(by: By, side: str = "") -> str:
    """Transfers (debit_id, credit_id, unit, amount_minor) from %(since)s on and before %(until)s."""
    return " UNION ALL ".join(_MOVED.format(columns=_COLUMNS, found=found, side=side) for _, found in RANGES[by])


def sums_at(cursor: Cursor, cut: Cut, *, account: int | None = None) -> tuple[str, dict[str, Any]]:
    """A query of the balances (account_id, unit, minor) at a cut, and its parameters.

    Of all accounts, balances of zero are left out; of one account, it has those of all units that were ever posted to
    it until then. The transaction of the cursor sees one moment, else a snapshot could be older than what is added.
    """
    cursor.execute(NEAREST_SNAPSHOT, {"by": cut.by.value, "until": cut.until, "before": account is not None})
    return sums_from(cursor.fetchone(), cut, account=account)


def sums_from(found: dict[str, Any] | None, cut: Cut, *, account: int | None = None) -> tuple[str, dict[str, Any]]:
    """`sums_at` from the row of NEAREST_SNAPSHOT, where there is one.

    What a snapshot after the cut has not counted is added all the same: what of it lies between the two is taken away
    again with all that does.
    """
    at: Any = found["snapshot_at"] if found else BEGINNING
    is_back = found is not None and at > cut.until
    parameters = (found or {}) | {"account": account}
    parameters |= {"since": cut.until, "until": at} if is_back else {"since": at, "until": cut.until}
    between = SIDES_BACK if is_back else SIDES
    sides = ("",) if account is None else (" AND t.debit_id = %(account)s", " AND t.credit_id = %(account)s")
    parts = [between.format(moved=" UNION ALL ".join(moved(cut.by, side) for side in sides))]
    if found is not None:
        parts.append(SIDES.format(moved=_UNCOUNTED.format(columns=_COLUMNS, time=TIMES[cut.by])))
        parts.append(_SNAPSHOT + ("" if account is None else " AND s.account_id = %(account)s"))
    whole = " UNION ALL ".join(parts)
    if account is None:
        return _SUMS.format(sides=whole, of="") + " HAVING sum(minor) <> 0", parameters
    return _SUMS.format(sides=whole, of=" WHERE account_id = %(account)s"), parameters
