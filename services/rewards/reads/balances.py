"""Balances of all accounts, and the trial balance: what all of them come to, per unit, which must be zero."""

from __future__ import annotations

from typing import cast

from typing_extensions import TypedDict

from services.rewards.reads.connect import Source, reading


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
    postgres: Source, *, starting_with: str = "", after: tuple[str, str] | None = None, limit: int | None = None
) -> list[Balance]:
    """Balances, sorted by account and unit; all of them, unless told otherwise.

    Args:
        postgres: URL or connection.
        starting_with: Only of accounts that begin like this.
        after: Only what comes after this account and unit.
        limit: At most so many.
    """
    with reading(postgres) as cursor:
        cursor.execute(
            "SELECT a.address AS account, b.unit, b.minor FROM rewards.balances b"
            " JOIN rewards.accounts a ON a.id = b.account_id"
            " WHERE starts_with(a.address, %(start)s) AND (%(account)s::text IS NULL"
            ' OR (a.address COLLATE "C", b.unit COLLATE "C") > (%(account)s, %(unit)s))'
            ' ORDER BY a.address COLLATE "C", b.unit COLLATE "C" LIMIT %(limit)s',
            {
                "start": starting_with,
                "account": after and after[0],
                "unit": after and after[1],
                "limit": limit,
            },
        )
        return cast("list[Balance]", cursor.fetchall())


def trial_balance(postgres: Source) -> list[TrialBalance]:
    """Per unit, sorted by unit. `minor` is 0, or the ledger is broken."""
    with reading(postgres) as cursor:
        cursor.execute(
            "SELECT unit, sum(minor)::numeric AS minor, coalesce(-sum(minor) FILTER (WHERE minor < 0), 0) AS debits,"
            " coalesce(sum(minor) FILTER (WHERE minor > 0), 0) AS credits"
            ' FROM rewards.balances GROUP BY unit ORDER BY unit COLLATE "C"'
        )
        return [
            TrialBalance(
                unit=row["unit"], minor=int(row["minor"]), debits=int(row["debits"]), credits=int(row["credits"])
            )
            for row in cursor
        ]
