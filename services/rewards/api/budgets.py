"""Budgets: what was put in, what was claimed, what is left; and putting more in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from runtime.api.pages import Asked, Cursor, Limit, page_of, texts_of
from services.rewards.api.bodies import Amount, Booked, Reason, Text, booked
from services.rewards.api.books import Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.legs import ByHand
from services.rewards.reads import BudgetLine, budgets

router = APIRouter()


class BudgetPage(BaseModel):
    budgets: list[BudgetLine]
    next: str | None = None


class TopUp(Asked):
    """More for one period of a budget."""

    programme: Text
    budget: Text
    period: Annotated[Text, Field(description="Like 2026, 2026-Q1 or 2026-03; empty for a budget without periods.")] = (
        ""
    )
    amount: Amount
    reason: Reason


@router.get("/budgets")
async def list_budgets(books: TheBooks, caller: Viewer, limit: Limit = 100, cursor: Cursor = None) -> BudgetPage:
    """Every period that was claimed or topped up."""
    after = None
    if cursor is not None:
        programme, budget, period, unit = texts_of(cursor, 4)
        after = (programme, budget, period, unit)
    rows = await books.ask(budgets, after=after, limit=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["programme"], row["budget"], row["period"], row["unit"]))
    return BudgetPage(budgets=page, next=then)


@router.post("/budgets/top-up", **answers(Booked))
async def top_up(books: TheBooks, caller: Finance, once: Once, body: TopUp) -> Response:
    """Put more into a budget; what waits for it is resumed in order, within seconds."""

    async def work(hand: Hand) -> Booked:
        bookings = Bookings(hand.connections, clock=books.clock, ledger=hand.ledger)
        key = BudgetKey(body.programme, body.budget, body.period, body.amount.unit)
        return booked(await bookings.top_up(key, body.amount.minor, ByHand(body.reason, caller.who)))

    return await once(work)
