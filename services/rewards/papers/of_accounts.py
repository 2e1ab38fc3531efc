"""What a statement on paper says: an account's postings of a period in one unit, from its opening to its closing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from contracts.errors import PermanentError, Problem
from services.rewards.asof.cuts import By, Period
from services.rewards.papers.shown import Entry, StatementOf
from services.rewards.payouts.payee import decode_payee
from services.rewards.reads.connect import Connection, open_ledger
from services.rewards.reads.statement import LIMIT_MAX, Posting, statement

POSTINGS_MAX: Final = 10_000
"""Of one paper: two hundred pages, and some ten seconds."""


def statement_of(
    postgres: str, account: str, *, unit: str | None, decimals_of: Callable[[str], int], period: Period, today: date
) -> StatementOf:
    """The statement, of one moment.

    Args:
        postgres: URL.
        account: `partner:moses-frase:available`.
        unit: None where the account has one only.
        decimals_of: Of a unit.
        period: Which postings, and by which of their times.
        today: The last day of a period that has no end.

    Raises:
        PermanentError: `account-outside-chart`; `unit-missing`: the account has several; `statement-too-long`.
    """
    with open_ledger(postgres) as connection:
        page = statement(connection, account, unit=unit, limit=LIMIT_MAX, newest_first=False, period=period)
        of = unit or only_unit(page["balances"], account)
        postings = list(page["postings"])
        while page["next_cursor"]:
            if len(postings) >= POSTINGS_MAX:
                message = f"{account} has more than {POSTINGS_MAX} postings in the period"
                problem = Problem(
                    code="statement-too-long", message=message, help="ask for a shorter one, or for --csv"
                )
                raise PermanentError(problem)
            page = statement(
                connection,
                account,
                unit=unit,
                limit=LIMIT_MAX,
                cursor=page["next_cursor"],
                newest_first=False,
                period=period,
            )
            postings += page["postings"]
        holder = _holder(connection, account)
    entries = [_entry(posting, period.by) for posting in postings]
    last_on = today if period.until is None else (period.until - timedelta(microseconds=1)).date()
    first_on = period.since.date().isoformat() if period.since else entries[0].on if entries else last_on.isoformat()
    return StatementOf(
        account=account,
        holder=holder,
        unit=of,
        decimals=decimals_of(of),
        from_on=first_on,
        to_on=last_on.isoformat(),
        opening_minor=page["opening"].get(of, 0),
        closing_minor=page["closing"].get(of, 0),
        entries=entries,
    )


def only_unit(balances: dict[str, int], account: str) -> str:
    """The unit of an account that has one. Raises PermanentError (`unit-missing`)."""
    if len(balances) != 1:
        units = ", ".join(sorted(balances)) or "no unit yet"
        message = f"{account} has {units}; a statement on paper is of one"
        raise PermanentError(Problem(code="unit-missing", message=message, help="name it with --unit"))
    return next(iter(balances))


def _entry(posting: Posting, by: By) -> Entry:
    transfer = posting["transfer"]
    return Entry(
        on=(transfer["posted_at"] if by == By.BOOKED else transfer["effective_at"])[:10],
        stage=transfer["stage"],
        rule=transfer["rule"],
        reference=transfer["event_id"],
        minor=posting["minor"],
        balance_minor=posting["balance_minor"],
    )


def _holder(connection: Connection, account: str) -> list[str]:
    """Name and address of whose account it is, where finance wrote them down for payouts."""
    beneficiary = account.rpartition(":")[0]
    row = connection.execute("SELECT payee FROM rewards.payees WHERE beneficiary = %s", (beneficiary,)).fetchone()
    if row is None:
        return []
    payee = decode_payee(row[0])
    return [payee.name] if payee.tax is None else [payee.tax.legal_name, *payee.tax.address]
