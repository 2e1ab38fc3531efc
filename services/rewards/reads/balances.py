"""Balances of all accounts, and the trial balance: what all of them come to, per unit, which must be zero.

Both now, or at any instant, by either time (services/rewards/asof/cuts.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import psycopg
from typing_extensions import TypedDict

from services.rewards.asof.cuts import Cut
from services.rewards.asof.sums import sums_at
from services.rewards.reads.connect import Source, open_ledger, reading

STREAM_ROWS: Final = 5_000
_LAST_CHARACTER: Final = "\U0010ffff"

Cursor = psycopg.Cursor[dict[str, Any]]

_LIST: Final = (
    "SELECT a.address AS account, b.unit, b.minor FROM {balances} b JOIN rewards.accounts a ON a.id = b.account_id"
    ' WHERE a.address COLLATE "C" >= %(from)s AND a.address COLLATE "C" < %(before)s'
    ' AND (a.address COLLATE "C", b.unit COLLATE "C") > (%(account)s, %(unit)s)'
    ' ORDER BY a.address COLLATE "C", b.unit COLLATE "C"'
)
_TRIAL: Final = (
    "SELECT unit, sum(minor)::numeric AS minor, coalesce(-sum(minor) FILTER (WHERE minor < 0), 0) AS debits,"
    " coalesce(sum(minor) FILTER (WHERE minor > 0), 0) AS credits"
    ' FROM {balances} b GROUP BY unit ORDER BY unit COLLATE "C"'
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
    with reading(postgres) as cursor:
        query, parameters = _list(cursor, at, starting_with, after)
        return [_balance(row) for row in cursor.execute(query + " LIMIT %(limit)s", parameters | {"limit": limit})]


def each_balance(postgres: str, *, at: Cut | None = None, starting_with: str = "") -> Iterator[Balance]:
    """Every balance, sorted by account and unit, as they come out of the database: nobody holds them all."""
    with open_ledger(postgres) as connection, reading(connection) as cursor:
        query, parameters = _list(cursor, at, starting_with, None)
        with connection.cursor("balances") as stream:
            stream.itersize = STREAM_ROWS
            for account, unit, minor in stream.execute(query, parameters):
                yield Balance(account=account, unit=unit, minor=int(minor))


def trial_balance(postgres: Source, *, at: Cut | None = None) -> list[TrialBalance]:
    """Per unit, sorted by unit. `minor` is 0, or the ledger is broken."""
    with reading(postgres) as cursor:
        balances, parameters = _balances(cursor, at)
        cursor.execute(_TRIAL.format(balances=balances), parameters)
        return [
            TrialBalance(
                unit=row["unit"], minor=int(row["minor"]), debits=int(row["debits"]), credits=int(row["credits"])
            )
            for row in cursor
        ]


def _list(
    cursor: Cursor, at: Cut | None, starting_with: str, after: tuple[str, str] | None
) -> tuple[str, dict[str, Any]]:
    balances, parameters = _balances(cursor, at)
    account, unit = after or ("", "")
    bounds = {
        "from": max(starting_with, account),
        "before": starting_with + _LAST_CHARACTER,
        "account": account,
        "unit": unit,
    }
    return _LIST.format(balances=balances), parameters | bounds


def _balances(cursor: Cursor, at: Cut | None) -> tuple[str, dict[str, Any]]:
    """What to read balances from."""
    if at is None:
        return "rewards.balances", {}
    query, parameters = sums_at(cursor, at)
    return f"({query})", parameters


def _balance(row: dict[str, Any]) -> Balance:
    return cast("Balance", row | {"minor": int(row["minor"])})
