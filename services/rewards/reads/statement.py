"""The statement of an account: the postings of a period in order, each with the balance after it.

Order is (time, id), the time being when they were posted or from when on they count. Read newest first, the running
balance starts from the closing one and goes back; read oldest first, it starts from the opening one. Both give the same
balance beside the same posting, because balances are exact.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from typing_extensions import TypedDict

from contracts.errors import PermanentError, Problem
from contracts.events import EPOCH
from services.rewards import chart
from services.rewards.asof.cuts import By, Cut, Period
from services.rewards.asof.sums import BEGINNING, END, NEAREST_SNAPSHOT, RANGES, account_from
from services.rewards.asof.windows import BACK_TO, FORWARD_TO
from services.rewards.reads.connect import Cursor, Source, reading
from services.rewards.reads.cursors import bad_cursor, decode_cursor, encode_cursor
from services.rewards.reads.transfers import Transfer, transfer_of

EVER: Final = Period(By.BOOKED)
LIMIT_MAX: Final = 10_000


class Posting(TypedDict):
    """One side of a transfer.

    `minor` is what it added to the account; `balance_minor` is what the account held of its unit right after it.
    """

    minor: int
    unit: str
    balance_minor: int
    other_account: str
    transfer: Transfer


class Statement(TypedDict):
    """A page of a statement.

    `balances` are today's, `opening` those before the period, `closing` those at its end; `next_cursor` is None on
    the last page.
    """

    account: str
    by: str
    balances: dict[str, int]
    opening: dict[str, int]
    closing: dict[str, int]
    postings: list[Posting]
    next_cursor: str | None


class _Cursor(msgspec.Struct, forbid_unknown_fields=True):
    """Where a page ended, and the balances there."""

    at_us: int
    id: str
    by: By
    is_newest_first: bool
    balances: dict[str, int]


_SELECT: Final = """
    SELECT t.at, t.id, t.group_id, t.decision_id, d.address AS debit, c.address AS credit, t.amount_minor, t.unit,
        t.stage, t.programme, t.rule, t.revision, t.partner, t.event_source, t.event_id, t.event_at, t.posted_at,
        t.news_at, t.customer, t.deal, t.lead, t.reason, t.booked_by, t.credit_id
    FROM ({sides}) t
    JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id
    ORDER BY t.at {direction}, t.id {direction} LIMIT %(limit)s
"""
_SIDE: Final = """(
    SELECT {time} AS at, t.* FROM rewards.transfers t
    WHERE t.{side} = %(account)s AND {found} AND (%(unit)s::text IS NULL OR t.unit = %(unit)s)
        AND (%(id)s::uuid IS NULL OR ({time}, t.id) {beyond} (%(at)s, %(id)s))
    ORDER BY {time} {direction}, t.id {direction} LIMIT %(limit)s
)"""


def _query(by: By, direction: str, beyond: str) -> str:
    sides = [
        _SIDE.format(time=time, side=side, found=found, direction=direction, beyond=beyond)
        for time, found in RANGES[by]
        for side in ("debit_id", "credit_id")
    ]
    return _SELECT.format(sides=" UNION ALL ".join(sides), direction=direction)


_NEWEST_FIRST: Final = {by: _query(by, "DESC", "<") for by in By}
_OLDEST_FIRST: Final = {by: _query(by, "ASC", ">") for by in By}


def statement(
    postgres: Source,
    account: str,
    *,
    unit: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    newest_first: bool = True,
    period: Period = EVER,
) -> Statement:
    """A page of an account's postings.

    Args:
        postgres: URL or connection.
        account: `partner:moses-frase:available`; one that was never posted to has an empty statement.
        unit: Only postings of this unit.
        limit: Postings of a page, up to LIMIT_MAX.
        cursor: `next_cursor` of the page before; the other arguments must be the same.
        newest_first: Or oldest first.
        period: Which of them, and by which of their times they are in order.

    Raises:
        PermanentError: `account-outside-chart`, `bad-cursor` or `bad-limit`.
    """
    chart.checked(account)
    if not 1 <= limit <= LIMIT_MAX:
        raise PermanentError(Problem(code="bad-limit", message=f"a page has 1 to {LIMIT_MAX} postings", where="limit"))
    at = None if cursor is None else _read_cursor(cursor, period.by, newest_first=newest_first)
    with reading(postgres) as database:
        database.execute(
            "SELECT a.id, b.unit, b.minor FROM rewards.accounts a JOIN rewards.balances b ON b.account_id = a.id"
            ' WHERE a.address = %s ORDER BY b.unit COLLATE "C"',
            (account,),
        )
        rows = database.fetchall()
        account_id = rows[0]["id"] if rows else 0
        today = {row["unit"]: int(row["minor"]) for row in rows}
        opening = _balances(database, account_id, period.opening) if period.opening else {}
        closing = _balances(database, account_id, period.closing) if period.closing else today
        parameters = _bounds(period, at, newest_first=newest_first) | {
            "account": account_id,
            "unit": unit,
            "limit": limit + 1,
        }
        found = _postings(database, period.by, parameters, newest_first=newest_first)
    start = closing if newest_first else opening
    running = dict(start if at is None else at.balances)
    page = [_posting(row, account_id, running, newest_first=newest_first) for row in found[:limit]]
    more = len(found) > limit
    return Statement(
        account=account,
        by=period.by.value,
        balances=today,
        opening=opening,
        closing=closing,
        postings=page,
        next_cursor=_write_cursor(found[limit - 1], running, period.by, newest_first=newest_first) if more else None,
    )


def _balances(cursor: Cursor, account_id: int, cut: Cut) -> dict[str, int]:
    cursor.execute(NEAREST_SNAPSHOT, {"by": cut.by.value, "until": cut.until, "before": True})
    query, parameters = account_from(cursor.fetchone(), cut, account_id)
    cursor.execute(query + ' ORDER BY unit COLLATE "C"', parameters)
    return {row["unit"]: int(row["minor"]) for row in cursor}


def _postings(cursor: Cursor, by: By, parameters: dict[str, Any], *, newest_first: bool) -> list[dict[str, Any]]:
    """Up to `limit` of them in order, from the beginning of the page on."""
    query = (_NEWEST_FIRST if newest_first else _OLDEST_FIRST)[by]
    if by is By.EFFECTIVE:
        cursor.execute(BACK_TO if newest_first else FORWARD_TO, parameters | {"by": by.value})
        reached = cursor.fetchone()
        if reached is not None:
            near = _nearer(parameters, reached["until"], newest_first=newest_first)
            found = cursor.execute(query, near).fetchall()
            if len(found) == parameters["limit"] or near == parameters:
                return found
    return cursor.execute(query, parameters).fetchall()


def _nearer(parameters: dict[str, Any], reached: datetime, *, newest_first: bool) -> dict[str, Any]:
    """The same, no farther than an instant that is reached."""
    end = "since" if newest_first else "until"
    asked = parameters[end]
    if isinstance(asked, datetime):
        reached = max(asked, reached) if newest_first else min(asked, reached)
    return parameters | {end: reached}


def _bounds(period: Period, at: _Cursor | None, *, newest_first: bool) -> dict[str, Any]:
    """The period, and where in it a page begins."""
    bounds: dict[str, Any] = {"since": period.since or BEGINNING, "until": period.until or END, "at": None, "id": None}
    if at is not None:
        moment = EPOCH + timedelta(microseconds=at.at_us)
        bounds |= {"at": moment, "id": at.id}
        bounds |= {"until": moment + timedelta(microseconds=1)} if newest_first else {"since": moment}
    return bounds


def _posting(row: dict[str, Any], account_id: int, running: dict[str, int], *, newest_first: bool) -> Posting:
    """The posting, with `running` moved past it."""
    is_credit = row["credit_id"] == account_id
    minor = row["amount_minor"] if is_credit else -row["amount_minor"]
    unit = row["unit"]
    before = running.get(unit, 0)
    running[unit] = before - minor if newest_first else before + minor
    return Posting(
        minor=minor,
        unit=unit,
        balance_minor=before if newest_first else running[unit],
        other_account=row["debit"] if is_credit else row["credit"],
        transfer=transfer_of(row),
    )


def _write_cursor(row: dict[str, Any], running: dict[str, int], by: By, *, newest_first: bool) -> str:
    at_us = (row["at"] - EPOCH) // timedelta(microseconds=1)
    return encode_cursor(_Cursor(at_us, str(row["id"]), by, newest_first, running))


def _read_cursor(text: str, by: By, *, newest_first: bool) -> _Cursor:
    at = decode_cursor(text, _Cursor)
    try:
        UUID(at.id)
        EPOCH + timedelta(microseconds=at.at_us + 1)
    except (ValueError, OverflowError) as error:
        raise bad_cursor() from error
    if at.is_newest_first != newest_first or at.by is not by:
        raise bad_cursor("the cursor reads in the other direction, or by the other time")
    return at
