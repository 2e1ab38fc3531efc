"""Balances at a cut, in SQL: the nearest snapshot, and what moved between it and the cut.

A snapshot has the balances of the accounts that changed since the one before, so an account's balance is the last one
it has there; and the totals of all, so a trial balance looks up only what moved since.

Transfers are found by BRIN indexes: they lie in the order of their posting, and so nearly in that of their events,
and such an index costs next to nothing when posting. The few that count at another time than their event's have a
B-tree of their own. What a snapshot has not counted, because it was posted after snapshots were last brought up to
date, is found by its block; blocks are numbered in the order of their commits, so nothing can be missed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

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

SIDES: Final = (
    "SELECT side.account_id, m.unit, side.minor FROM ({moved}) m,"
    " LATERAL (VALUES (m.debit_id, -m.amount_minor), (m.credit_id, m.amount_minor)) side (account_id, minor)"
)
"""Postings (account_id, unit, minor) of the transfers that `moved` finds."""

NEAREST_SNAPSHOT: Final = """
SELECT s.number, s.until AS snapshot_at, m.block FROM rewards.snapshots_made m, (
    (SELECT number, until FROM rewards.snapshots WHERE by_time = %(by)s AND until <= %(until)s
        ORDER BY until DESC LIMIT 1)
    UNION ALL
    (SELECT number, until FROM rewards.snapshots WHERE by_time = %(by)s AND until > %(until)s AND number > 1
        AND NOT %(before)s ORDER BY until LIMIT 1)
) s ORDER BY greatest(s.until - %(until)s, %(until)s - s.until), s.until LIMIT 1
"""
"""What sums go on from, or back from; no row, where they begin with the first transfer."""

LAST_KEPT: Final = (
    "LATERAL (SELECT k.minor FROM rewards.balance_snapshots k WHERE k.by_time = {by} AND k.account_id = {of}.account_id"
    " AND k.unit = {of}.unit AND k.number {until} ORDER BY k.number DESC LIMIT 1)"
)
"""The balance that the account and unit of `of` had at a snapshot; none, where there was no posting until then."""

DEBITS_MORE: Final = "least({before}, 0) - least({after}, 0)"
CREDITS_MORE: Final = "greatest({after}, 0) - greatest({before}, 0)"
"""What a balance adds to the totals, when it changes."""

_SIDES_BACK: Final = SIDES.replace("-m.amount_minor", "m.amount_minor").replace(
    "m.credit_id, m.amount_minor", "m.credit_id, -m.amount_minor"
)
_COLUMNS: Final = "t.debit_id, t.credit_id, t.unit, t.amount_minor"
_MOVED: Final = "SELECT {columns}, {time} AS at FROM rewards.transfers t WHERE {found}{side}"
_TIMES: Final = {By.BOOKED: "t.posted_at", By.EFFECTIVE: "coalesce(t.news_at, t.event_at)"}
_UNCOUNTED: Final = (
    "SELECT {columns} FROM rewards.blocks b CROSS JOIN unnest(b.ids) AS i (id)"
    " JOIN rewards.transfers t ON t.id = i.id WHERE b.number > %(block)s AND {time} < %(snapshot_at)s::timestamptz"
)
_NET: Final = (
    "SELECT account_id, unit, sum(minor) AS minor FROM ({sides}) p GROUP BY account_id, unit HAVING sum(minor) <> 0"
)
KEPT_THEN: Final = LAST_KEPT.format(by="%(by)s", of="b", until="<= %(number)s")
"""What the account and unit of `b` have in the snapshot of a query that is made here."""
_ALL: Final = f"""
SELECT account_id, unit, sum(minor) AS minor FROM (
    SELECT b.account_id, b.unit, k.minor FROM rewards.balances b CROSS JOIN {KEPT_THEN} k
    UNION ALL
    {{sides}}
) p GROUP BY account_id, unit HAVING sum(minor) <> 0
"""  # noqa: S608  # of constants alone
_OF_ACCOUNT: Final = """
SELECT unit, sum(minor) AS minor FROM (
    SELECT unit, minor FROM ({sides}) p WHERE account_id = %(account)s
    UNION ALL
    (SELECT DISTINCT ON (k.unit) k.unit, k.minor FROM rewards.balance_snapshots k
        WHERE k.by_time = %(by)s AND k.account_id = %(account)s AND k.number <= %(number)s
        ORDER BY k.unit, k.number DESC)
) p GROUP BY unit
"""
_TOTALS: Final = f"""
SELECT unit, sum(debits) AS debits, sum(credits) AS credits FROM (
    SELECT unit, {DEBITS_MORE} AS debits, {CREDITS_MORE} AS credits FROM (
        SELECT b.unit, coalesce(k.minor, 0) AS before, b.minor FROM ({{net}}) b LEFT JOIN {KEPT_THEN} k ON true
    ) n
    UNION ALL
    SELECT k.unit, k.debits, k.credits FROM rewards.snapshot_totals k
    WHERE k.by_time = %(by)s AND k.number <= %(number)s
) t GROUP BY unit HAVING sum(debits) <> 0 OR sum(credits) <> 0
""".format(before="before", after="before + minor", net="{net}")  # noqa: S608  # of constants alone


class Query(NamedTuple):
    """A query without an order, and its parameters."""

    text: str
    parameters: dict[str, Any]


def moved(by: By, side: str = "") -> str:
    """Transfers (debit_id, credit_id, unit, amount_minor, at) from %(since)s on and before %(until)s."""
    return " UNION ALL ".join(
        _MOVED.format(columns=_COLUMNS, time=time, found=found, side=side) for time, found in RANGES[by]
    )


def net_from(found: dict[str, Any] | None, cut: Cut) -> Query:
    """What moved (account_id, unit, minor) from the snapshot to the cut, but for what comes to zero.

    Args:
        found: The row of NEAREST_SNAPSHOT, where there is one; else all there was moved since the beginning. The
            transaction sees one moment since it was read, else a snapshot could be older than what is added.
        cut: The cut.
    """
    sides, parameters = _sides(found, cut, None)
    return Query(_NET.format(sides=sides), parameters)


def sums_from(found: dict[str, Any] | None, cut: Cut) -> Query:
    """The balances (account_id, unit, minor) of all accounts at a cut, but for those of zero."""
    sides, parameters = _sides(found, cut, None)
    return Query(_ALL.format(sides=sides), parameters)


def totals_from(found: dict[str, Any] | None, cut: Cut) -> Query:
    """The sums of all negative balances of a unit (as a positive number) and of all positive ones, at a cut."""
    net, parameters = net_from(found, cut)
    return Query(_TOTALS.format(net=net), parameters)


def account_from(found: dict[str, Any] | None, cut: Cut, account: int) -> Query:
    """The balances (unit, minor) of an account at a cut, of all units that were ever posted to it until then.

    For that, the snapshot must be one at or before the cut (`before` in NEAREST_SNAPSHOT).
    """
    sides, parameters = _sides(found, cut, account)
    return Query(_OF_ACCOUNT.format(sides=sides), parameters)


def _sides(found: dict[str, Any] | None, cut: Cut, account: int | None) -> Query:
    """Postings that lead from the snapshot to the cut.

    What a snapshot after the cut has not counted is added all the same: what of it lies between the two is taken away
    again with all that does.
    """
    at: Any = found["snapshot_at"] if found else BEGINNING
    is_back = found is not None and at > cut.until
    parameters = {"by": cut.by.value, "number": 0, "account": account} | (found or {})
    parameters |= {"since": cut.until, "until": at} if is_back else {"since": at, "until": cut.until}
    between = _SIDES_BACK if is_back else SIDES
    sides = ("",) if account is None else (" AND t.debit_id = %(account)s", " AND t.credit_id = %(account)s")
    parts = [between.format(moved=" UNION ALL ".join(moved(cut.by, side) for side in sides))]
    if found is not None:
        parts.append(SIDES.format(moved=_UNCOUNTED.format(columns=_COLUMNS, time=_TIMES[cut.by])))
    return Query(" UNION ALL ".join(parts), parameters)
