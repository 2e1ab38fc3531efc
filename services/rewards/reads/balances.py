"""Balances of all accounts, and the trial balance: what all of them come to, per unit, which must be zero.

Both now, or at any instant, by either time (services/rewards/asof/cuts.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from typing_extensions import TypedDict

from services.rewards.asof.cuts import Cut
from services.rewards.asof.sums import NEAREST_SNAPSHOT, Query, sums_from, totals_from
from services.rewards.reads.connect import Cursor, Source, open_ledger, reading

STREAM_ROWS: Final = 5_000
_LAST_CHARACTER: Final = "\U0010ffff"

_NOW: Final = Query("TABLE rewards.balances", {})
CANDIDATES_MIN: Final = 1_000
"""Accounts that are looked at for a page of the past, at first; ten times as many, while it is not full."""

_LIST: Final = (
    "SELECT a.address AS account, b.unit, b.minor FROM {balances} b JOIN rewards.accounts a ON a.id = b.account_id"
    ' WHERE a.address COLLATE "C" >= %(from)s AND a.address COLLATE "C" < %(before)s'
    ' AND (a.address COLLATE "C", b.unit COLLATE "C") > (%(account_after)s, %(unit_after)s)'
    ' ORDER BY a.address COLLATE "C", b.unit COLLATE "C"'
)
_LISTED: Final = (
    "SELECT a.{column} FROM rewards.accounts a"
    ' WHERE a.address COLLATE "C" >= %(from)s AND a.address COLLATE "C" < %(before)s'
)
_OF_LISTED: Final = f"b.account_id IN ({_LISTED.format(column='id')})"
_NEXT: Final = _LISTED.format(column="address") + ' ORDER BY a.address COLLATE "C" OFFSET %(candidates)s LIMIT 1'
_TOTALS: Final = (
    "SELECT unit, coalesce(-sum(minor) FILTER (WHERE minor < 0), 0) AS debits,"
    " coalesce(sum(minor) FILTER (WHERE minor > 0), 0) AS credits FROM rewards.balances GROUP BY unit"
)


class Balance(TypedDict):
    """What an account holds of a unit: credits minus debits, in minor units."""

    account: str
    unit: str
    minor: int


class TrialBalance(TypedDict):
    """All balances of a unit.

    `minor` is their sum; `debits` and `credits` are the sums of the negative and of the positive ones, both positive.
    """

    unit: str
    minor: int
    debits: int
    credits: int


def balances(
    postgres: Source,
    *,
    at: Cut | None = None,
    starting_with: str = "",
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> list[Balance]:
    """Balances, sorted by account and unit; all of them, unless told otherwise.

    Args:
        postgres: URL or connection.
        at: At this cut; now, if None.
        starting_with: Only of accounts that begin like this.
        after: Only what comes after this account and unit.
        limit: At most so many.
    """
    bounds = _bounds(starting_with, after) | {"limit": limit}
    with reading(postgres) as cursor:
        if at is None:
            return _listed(cursor, _NOW, bounds)
        found = _nearest(cursor, at)
        if limit is None:
            return _listed(cursor, _all_listed(found, at, starting_with), bounds)
        return _page(cursor, found, at, bounds, limit)


def each_balance(postgres: str, *, at: Cut | None = None, starting_with: str = "") -> Iterator[Balance]:
    """Every balance, sorted by account and unit, as they come out of the database: nobody holds them all."""
    with open_ledger(postgres) as connection, reading(connection) as cursor:
        balances = _NOW
        if at is not None:
            balances = _all_listed(_nearest(cursor, at), at, starting_with)
        with connection.cursor("balances") as stream:
            stream.itersize = STREAM_ROWS
            query = _LIST.format(balances=f"({balances.text})")
            for account, unit, minor in stream.execute(query, balances.parameters | _bounds(starting_with, None)):
                yield Balance(account=account, unit=unit, minor=int(minor))


def trial_balance(postgres: Source, *, at: Cut | None = None) -> list[TrialBalance]:
    """Per unit, sorted by unit. `minor` is 0, or the ledger is broken."""
    with reading(postgres) as cursor:
        totals = Query(_TOTALS, {}) if at is None else totals_from(_nearest(cursor, at), at)
        cursor.execute(totals.text + ' ORDER BY unit COLLATE "C"', totals.parameters)
        return [
            TrialBalance(
                unit=row["unit"],
                minor=int(row["credits"] - row["debits"]),
                debits=int(row["debits"]),
                credits=int(row["credits"]),
            )
            for row in cursor
        ]


def _page(
    cursor: Cursor, snapshot: dict[str, Any] | None, at: Cut, bounds: dict[str, Any], limit: int
) -> list[Balance]:
    """Balances of the past are added up for the accounts that a page may hold, not for all there are."""
    page: list[Balance] = []
    candidates, end = max(CANDIDATES_MIN, 2 * limit), bounds["before"]
    sums = sums_from(snapshot, at, of=_OF_LISTED)
    while True:
        cursor.execute(_NEXT, bounds | {"candidates": candidates})
        following = cursor.fetchone()
        bounds |= {"before": following["address"] if following else end, "limit": limit - len(page)}
        page += _listed(cursor, sums, bounds)
        if following is None or len(page) == limit:
            return page
        bounds |= {"from": following["address"], "before": end}
        candidates *= 10


def _listed(cursor: Cursor, balances: Query, bounds: dict[str, Any]) -> list[Balance]:
    query = _LIST.format(balances=f"({balances.text})") + " LIMIT %(limit)s"
    return [_balance(row) for row in cursor.execute(query, balances.parameters | bounds)]


def _all_listed(snapshot: dict[str, Any] | None, at: Cut, starting_with: str) -> Query:
    return sums_from(snapshot, at, of=_OF_LISTED if starting_with else "")


def _nearest(cursor: Cursor, at: Cut) -> dict[str, Any] | None:
    cursor.execute(NEAREST_SNAPSHOT, {"by": at.by.value, "until": at.until, "before": False})
    return cursor.fetchone()


def _bounds(starting_with: str, after: tuple[str, str] | None) -> dict[str, Any]:
    """From which account on, before which one, and after which account and unit."""
    account, unit = after or ("", "")
    return {
        "from": max(starting_with, account),
        "before": starting_with + _LAST_CHARACTER,
        "account_after": account,
        "unit_after": unit,
    }


def _balance(row: dict[str, Any]) -> Balance:
    return cast("Balance", row | {"minor": int(row["minor"])})
