"""Balances at a cut: the SQL of what moved before it, by either time, found by the ranges that it can be in.

Transfers are found by BRIN indexes: they lie in the order of their posting, and so nearly in that of their events,
and such an index costs next to nothing when posting. The few that count at another time than their event's have a
B-tree of their own.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from services.rewards.asof.cuts import By, Cut

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

BEGINNING: Final = "-infinity"
END: Final = "infinity"

_SUMS: Final = (
    "SELECT account_id, unit, sum(minor) AS minor FROM ("
    " SELECT side.account_id, m.unit, side.minor FROM ({moved}) m,"
    " LATERAL (VALUES (m.debit_id, -m.amount_minor), (m.credit_id, m.amount_minor)) side (account_id, minor)"
    ") p{of} GROUP BY account_id, unit"
)
_MOVED: Final = "SELECT t.debit_id, t.credit_id, t.unit, t.amount_minor FROM rewards.transfers t WHERE {found}{side}"


def sums_at(by: By, *, of_account: bool = False) -> str:
    """Balances (account_id, unit, minor) before %(until)s; with `of_account`, those of %(account)s only."""
    sides = (" AND t.debit_id = %(account)s", " AND t.credit_id = %(account)s") if of_account else ("",)
    moved = " UNION ALL ".join(_MOVED.format(found=found, side=side) for _, found in RANGES[by] for side in sides)
    return _SUMS.format(moved=moved, of=" WHERE account_id = %(account)s" if of_account else "")


def base_of(cursor: psycopg.Cursor[dict[str, Any]], cut: Cut) -> dict[str, Any]:
    """The parameters of `sums_at`."""
    return {"since": BEGINNING, "until": cut.until}
