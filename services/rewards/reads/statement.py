"""The statement of an account: its postings in the order in which they were posted, each with the balance after it.

Order is (posted_at, id). Read newest first, the running balance starts from today's and goes back; read oldest
first, it starts from nothing. Both give the same balance beside the same posting, because balances are exact.
"""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from typing_extensions import TypedDict

from contracts.errors import PermanentError, Problem
from contracts.events import EPOCH
from services.rewards import chart
from services.rewards.reads.connect import Source, reading
from services.rewards.reads.transfers import Transfer, transfer_of

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
    """A page of a statement. `balances` are today's; `next_cursor` is None on the last page."""

    account: str
    balances: dict[str, int]
    postings: list[Posting]
    next_cursor: str | None


class _Cursor(msgspec.Struct, forbid_unknown_fields=True):
    """Where a page ended, and the balances there."""

    posted_at_us: int
    id: str
    is_newest_first: bool
    balances: dict[str, int]


_SELECT: Final = """
    SELECT t.id, t.group_id, t.decision_id, d.address AS debit, c.address AS credit, t.amount_minor, t.unit, t.stage,
        t.programme, t.rule, t.revision, t.partner, t.event_source, t.event_id, t.event_at, t.posted_at,
        t.customer, t.deal, t.lead, t.reason, t.booked_by, t.credit_id
    FROM (
        (SELECT * FROM rewards.transfers
            WHERE debit_id = %(account)s AND (%(unit)s::text IS NULL OR unit = %(unit)s) AND {after}
            ORDER BY posted_at {direction}, id {direction} LIMIT %(limit)s)
        UNION ALL
        (SELECT * FROM rewards.transfers
            WHERE credit_id = %(account)s AND (%(unit)s::text IS NULL OR unit = %(unit)s) AND {after}
            ORDER BY posted_at {direction}, id {direction} LIMIT %(limit)s)
    ) t
    JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id
    ORDER BY t.posted_at {direction}, t.id {direction} LIMIT %(limit)s
"""
_AFTER_NEWEST: Final = (
    "(%(posted_at)s::timestamptz IS NULL OR"
    " posted_at <= %(posted_at)s AND (posted_at, id) < (%(posted_at)s, %(id)s::uuid))"
)
_AFTER_OLDEST: Final = (
    "(%(posted_at)s::timestamptz IS NULL OR"
    " posted_at >= %(posted_at)s AND (posted_at, id) > (%(posted_at)s, %(id)s::uuid))"
)
_NEWEST_FIRST: Final = _SELECT.format(after=_AFTER_NEWEST, direction="DESC")
_OLDEST_FIRST: Final = _SELECT.format(after=_AFTER_OLDEST, direction="ASC")


def statement(
    postgres: Source,
    account: str,
    *,
    unit: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    newest_first: bool = True,
) -> Statement:
    """A page of an account's postings.

    Args:
        postgres: URL or connection.
        account: `partner:moses-frase:available`; one that was never posted to has an empty statement.
        unit: Only postings of this unit.
        limit: Postings of a page, up to LIMIT_MAX.
        cursor: `next_cursor` of the page before; the other arguments must be the same.
        newest_first: Or oldest first.

    Raises:
        PermanentError: `account-outside-chart`, `bad-cursor` or `bad-limit`.
    """
    chart.checked(account)
    if not 1 <= limit <= LIMIT_MAX:
        raise PermanentError(Problem(code="bad-limit", message=f"a page has 1 to {LIMIT_MAX} postings", where="limit"))
    at = None if cursor is None else _read_cursor(cursor, newest_first=newest_first)
    with reading(postgres) as database:
        database.execute(
            "SELECT a.id, b.unit, b.minor FROM rewards.accounts a JOIN rewards.balances b ON b.account_id = a.id"
            ' WHERE a.address = %s ORDER BY b.unit COLLATE "C"',
            (account,),
        )
        rows = database.fetchall()
        if not rows:
            return Statement(account=account, balances={}, postings=[], next_cursor=None)
        today = {row["unit"]: int(row["minor"]) for row in rows}
        parameters = {
            "account": rows[0]["id"],
            "unit": unit,
            "limit": limit + 1,
            "posted_at": None if at is None else EPOCH + timedelta(microseconds=at.posted_at_us),
            "id": None if at is None else at.id,
        }
        database.execute(_NEWEST_FIRST if newest_first else _OLDEST_FIRST, parameters)
        found = database.fetchall()
    start = today if newest_first else {}
    running = dict(start if at is None else at.balances)
    page = [_posting(row, parameters["account"], running, newest_first=newest_first) for row in found[:limit]]
    more = len(found) > limit
    return Statement(
        account=account,
        balances=today,
        postings=page,
        next_cursor=_write_cursor(found[limit - 1], running, newest_first=newest_first) if more else None,
    )


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


def _write_cursor(row: dict[str, Any], running: dict[str, int], *, newest_first: bool) -> str:
    posted_at_us = (row["posted_at"] - EPOCH) // timedelta(microseconds=1)
    at = _Cursor(posted_at_us, str(row["id"]), newest_first, running)
    return base64.urlsafe_b64encode(msgspec.json.encode(at)).decode()


def _read_cursor(text: str, *, newest_first: bool) -> _Cursor:
    try:
        at = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=_Cursor)
        UUID(at.id)
        EPOCH + timedelta(microseconds=at.posted_at_us)
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError) as error:
        raise PermanentError(Problem(code="bad-cursor", message="not a cursor of ours", where="cursor")) from error
    if at.is_newest_first != newest_first:
        raise PermanentError(
            Problem(code="bad-cursor", message="the cursor reads in the other direction", where="cursor")
        )
    return at
