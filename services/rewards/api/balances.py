"""What accounts hold, what all of them come to, and how one came to what it holds."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from runtime.api.pages import Cursor, Limit, page_of, texts_of
from services.rewards.api.bodies import NO_NUL
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.asof.cuts import By, cut_of, period_of
from services.rewards.reads import Balance, Posting, TrialBalance, balances, statement, trial_balance

router = APIRouter()

AsOf = Annotated[
    str | None,
    Query(max_length=64, description="As it was then: a date (to its end, in UTC), or a time with its offset."),
]
Time = Annotated[
    By | None,
    Query(description="By when transfers count (`effective`, the default) or by when they were posted (`booked`)."),
]


class BalancePage(BaseModel):
    balances: list[Balance]
    next: str | None = None


class TrialBalanceBody(BaseModel):
    """Per unit; `minor` is 0, or the ledger is broken."""

    trial_balance: list[TrialBalance]


class StatementPage(BaseModel):
    """A page of a statement.

    `balances` are today's, `opening` those before the period, `closing` those at its end; `by` is the time that
    postings are in order by.
    """

    account: str
    by: By
    balances: dict[str, int]
    opening: dict[str, int]
    closing: dict[str, int]
    postings: list[Posting]
    next: str | None = None


@router.get("/balances")
async def list_balances(
    books: TheBooks,
    caller: Viewer,
    account: Annotated[
        str, Query(max_length=512, pattern=NO_NUL, description="Only accounts that begin like this.")
    ] = "",
    as_of: AsOf = None,
    time: Time = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> BalancePage:
    """Balances by account and unit; credits minus debits, so what a partner has is positive."""
    after = None
    if cursor is not None:
        last_account, last_unit = texts_of(cursor, 2)
        after = (last_account, last_unit)
    at = None if as_of is None else cut_of(as_of, time)
    rows = await books.ask(balances, at=at, starting_with=account, after=after, limit=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["account"], row["unit"]))
    return BalancePage(balances=page, next=then)


@router.get("/trial-balance")
async def draw_trial_balance(
    books: TheBooks, caller: Viewer, as_of: AsOf = None, time: Time = None
) -> TrialBalanceBody:
    """What all balances come to, per unit."""
    at = None if as_of is None else cut_of(as_of, time)
    return TrialBalanceBody(trial_balance=await books.ask(trial_balance, at=at))


@router.get("/statements/{account:path}")
async def show_statement(
    books: TheBooks,
    caller: Viewer,
    account: Annotated[str, Path(max_length=512, description="Such as partner:moses-frase:available.")],
    unit: Annotated[str | None, Query(max_length=64, pattern=NO_NUL, description="Only this unit.")] = None,
    since: Annotated[
        str | None, Query(alias="from", max_length=64, description="From then on: a date, or a time with its offset.")
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", max_length=64, description="Until before then; of a date, to its end in UTC.")
    ] = None,
    as_of: AsOf = None,
    time: Time = None,
    order: Annotated[Literal["newest", "oldest"], Query(description="What comes first.")] = "newest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> StatementPage:
    """The postings of an account, each with the balance after it."""
    page = await books.ask(
        statement,
        account,
        unit=unit,
        limit=limit,
        cursor=cursor,
        newest_first=order == "newest",
        period=period_of(since, until, as_of, time),
    )
    return StatementPage(
        account=page["account"],
        by=By(page["by"]),
        balances=page["balances"],
        opening=page["opening"],
        closing=page["closing"],
        postings=page["postings"],
        next=page["next_cursor"],
    )
