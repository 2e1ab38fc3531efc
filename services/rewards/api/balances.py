"""What accounts hold, what all of them come to, and how one came to what it holds."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from runtime.api.pages import Cursor, Limit, cursor_of, texts_of
from services.rewards.api.bodies import NO_NUL
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.reads import Balance, Posting, TrialBalance, balances, statement, trial_balance

router = APIRouter()


class BalancePage(BaseModel):
    balances: list[Balance]
    next: str | None = None


class TrialBalanceBody(BaseModel):
    """Per unit; `minor` is 0, or the ledger is broken."""

    trial_balance: list[TrialBalance]


class StatementPage(BaseModel):
    """A page of a statement; `balances` are today's."""

    account: str
    balances: dict[str, int]
    postings: list[Posting]
    next: str | None = None


@router.get("/balances")
async def list_balances(
    books: TheBooks,
    caller: Viewer,
    account: Annotated[
        str, Query(max_length=512, pattern=NO_NUL, description="Only accounts that begin like this.")
    ] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> BalancePage:
    """Balances by account and unit; credits minus debits, so what a partner has is positive."""
    after = None
    if cursor is not None:
        last_account, last_unit = texts_of(cursor, 2)
        after = (last_account, last_unit)
    rows = await books.ask(balances, starting_with=account, after=after, limit=limit + 1)
    page = rows[:limit]
    is_last = len(rows) <= limit
    return BalancePage(balances=page, next=None if is_last else cursor_of(page[-1]["account"], page[-1]["unit"]))


@router.get("/trial-balance")
async def draw_trial_balance(books: TheBooks, caller: Viewer) -> TrialBalanceBody:
    """What all balances come to, per unit."""
    return TrialBalanceBody(trial_balance=await books.ask(trial_balance))


@router.get("/statements/{account:path}")
async def show_statement(
    books: TheBooks,
    caller: Viewer,
    account: Annotated[str, Path(max_length=512, description="Such as partner:moses-frase:available.")],
    unit: Annotated[str | None, Query(max_length=64, pattern=NO_NUL, description="Only this unit.")] = None,
    order: Annotated[Literal["newest", "oldest"], Query(description="What comes first.")] = "newest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> StatementPage:
    """The postings of an account, each with the balance after it."""
    page = await books.ask(statement, account, unit=unit, limit=limit, cursor=cursor, newest_first=order == "newest")
    return StatementPage(
        account=page["account"], balances=page["balances"], postings=page["postings"], next=page["next_cursor"]
    )
