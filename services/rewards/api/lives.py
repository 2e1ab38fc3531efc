"""What the ledger has not finished with: what is on hold, and what waits."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.errors import PermanentError
from contracts.events import parse_time_ms
from runtime.api.pages import Cursor, Limit, bad_cursor, page_of, texts_of
from services.rewards.api.bodies import Of, checked_id
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.reads import Held, Waiting, holds, waiting

router = APIRouter()


class HoldPage(BaseModel):
    holds: list[Held]
    next: str | None = None


class WaitingPage(BaseModel):
    waiting: list[Waiting]
    next: str | None = None


@router.get("/holds")
async def list_holds(
    books: TheBooks,
    caller: Viewer,
    of: Of = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> HoldPage:
    """What is on hold, and until when; what is available first on top."""
    after = None
    if cursor is not None:
        available_at, decision = texts_of(cursor, 2)
        after = (_time(available_at), checked_id(decision))
    rows = await books.ask(holds, beneficiary=of, after=after, limit=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["available_at"], row["decision"]))
    return HoldPage(holds=page, next=then)


@router.get("/waiting")
async def list_waiting(books: TheBooks, caller: Viewer, limit: Limit = 100, cursor: Cursor = None) -> WaitingPage:
    """Decisions that wait for a budget, or for what they take back from; in the order of the events behind them."""
    after = None if cursor is None else checked_id(texts_of(cursor, 1)[0])
    rows = await books.ask(waiting, after=after, limit=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["decision"],))
    return WaitingPage(waiting=page, next=then)


def _time(text: str) -> str:
    try:
        parse_time_ms(text)
    except (PermanentError, ValueError) as error:
        raise bad_cursor() from error
    return text
