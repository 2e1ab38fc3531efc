"""Balances of all accounts, and the trial balance: what all of them come to, per unit, which must be zero.

Both now, or at any instant, by either time (services/rewards/asof/cuts.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from typing_extensions import TypedDict

from services.rewards.asof.cuts import Cut
from services.rewards.asof.sums import KEPT_THEN, NEAREST_SNAPSHOT, Query, net_from, totals_from
from services.rewards.reads.connect import Cursor, Source, open_ledger, reading

STREAM_ROWS: Final = 5_000
STREAM_ACCOUNTS: Final = 50_000
"""Of the past so many accounts are added up at once, and what moved since the snapshot once for each such stretch."""
_LAST_CHARACTER: Final = "\U0010ffff"

CANDIDATES_MIN: Final = 1_000
"""Accounts that are looked at for a page of the past, at first; ten times as many, while it is not full."""

_FROM: Final = '{address} COLLATE "C" >= %(from)s AND {address} COLLATE "C" < %(before)s'
_LISTED: Final = _FROM + ' AND ({address} COLLATE "C", {unit} COLLATE "C") > (%(account_after)s, %(unit_after)s)'
_ORDER: Final = ' ORDER BY a.address COLLATE "C", {unit} COLLATE "C"'
_NOW: Final = (
    "SELECT a.address AS account, b.unit, b.minor FROM rewards.balances b"  # noqa: S608  # of constants alone
    " JOIN rewards.accounts a ON a.id = b.account_id WHERE "
    + _LISTED.format(address="a.address", unit="b.unit")
    + _ORDER.format(unit="b.unit")
)
# How many accounts lie between two addresses is estimated badly, and adding up must never be done once for each. So the
# joins are such as cannot become nested loops over what is added up: full ones, and outer ones from its side, with
# conditions that hold them there (`coalesce`).
_THEN: Final = (
    "SELECT a.address AS account, a.unit, coalesce(a.minor, 0) + coalesce(n.minor, 0) AS minor FROM ("  # noqa: S608  # of constants alone
    "SELECT a.id, a.address, b.unit, k.minor FROM rewards.accounts a JOIN rewards.balances b ON b.account_id = a.id"
    f" LEFT JOIN {KEPT_THEN} k ON true WHERE {_LISTED.format(address='a.address', unit='b.unit')}"
    ") a FULL JOIN ({net}) n ON n.account_id = a.id AND n.unit = a.unit"
    " WHERE coalesce(a.address, '') <> '' AND coalesce(a.minor, 0) + coalesce(n.minor, 0) <> 0"
    + _ORDER.format(unit="a.unit")
)
_SINCE_BEGINNING: Final = (
    "SELECT a.address AS account, n.unit, n.minor FROM ({net}) n LEFT JOIN rewards.accounts a ON a.id = n.account_id"  # noqa: S608  # of constants alone
    " WHERE " + _LISTED.format(address="coalesce(a.address, '')", unit="n.unit") + _ORDER.format(unit="n.unit")
)
_NEXT: Final = (
    "SELECT a.address FROM rewards.accounts a WHERE "  # noqa: S608  # of constants alone
    + _FROM.format(address="a.address")
    + ' ORDER BY a.address COLLATE "C" OFFSET %(accounts)s LIMIT 1'
)
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
        snapshot = None if at is None else _nearest(cursor, at)
        query = _list(snapshot, at)
        if snapshot is not None and limit is not None:
            return _page(cursor, query, bounds, limit)
        return _listed(cursor, query, bounds)


def each_balance(postgres: str, *, at: Cut | None = None, starting_with: str = "") -> Iterator[Balance]:
    """Every balance, sorted by account and unit, as they come out of the database: nobody holds them all."""
    with open_ledger(postgres) as connection, reading(connection) as cursor:
        snapshot = None if at is None else _nearest(cursor, at)
        query = _list(snapshot, at)
        if snapshot is not None:
            for stretch in _stretches(cursor, _bounds(starting_with, None), STREAM_ACCOUNTS, times=1):
                yield from _listed(cursor, query, stretch | {"limit": None})
            return
        with connection.cursor("balances") as stream:
            stream.itersize = STREAM_ROWS
            for account, unit, minor in stream.execute(query.text, query.parameters | _bounds(starting_with, None)):
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


def _list(snapshot: dict[str, Any] | None, at: Cut | None) -> Query:
    if at is None:
        return Query(_NOW, {})
    net, parameters = net_from(snapshot, at)
    return Query((_SINCE_BEGINNING if snapshot is None else _THEN).format(net=net), parameters)


def _page(cursor: Cursor, query: Query, bounds: dict[str, Any], limit: int) -> list[Balance]:
    """Snapshots are asked for the accounts that a page may hold, not for all there are."""
    page: list[Balance] = []
    for stretch in _stretches(cursor, bounds, max(CANDIDATES_MIN, 2 * limit), times=10):
        page += _listed(cursor, query, stretch | {"limit": limit - len(page)})
        if len(page) == limit:
            break
    return page


def _stretches(cursor: Cursor, bounds: dict[str, Any], accounts: int, *, times: int) -> Iterator[dict[str, Any]]:
    """The same bounds, cut into stretches of so many accounts; each stretch so many times as long as the one before."""
    since: str | None = bounds["from"]
    while since is not None:
        stretch = bounds | {"from": since}
        cursor.execute(_NEXT, stretch | {"accounts": accounts})
        following = cursor.fetchone()
        since = following["address"] if following else None
        yield stretch if since is None else stretch | {"before": since}
        accounts *= times


def _listed(cursor: Cursor, query: Query, bounds: dict[str, Any]) -> list[Balance]:
    return [_balance(row) for row in cursor.execute(query.text + " LIMIT %(limit)s", query.parameters | bounds)]


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
