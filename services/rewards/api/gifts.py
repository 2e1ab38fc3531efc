"""Gifts: proposed by one person, approved by another, out of a budget."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from runtime.api.pages import Asked, page_of
from services.rewards.api.bodies import Amount, Newest, Reason, Text, decimals_of
from services.rewards.api.books import Approver, Books, Finance, FinanceOrApprover, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import State
from services.rewards.gifts.line import GiftLine, gift_line
from services.rewards.store import Ledger

router = APIRouter()

GiftId = Annotated[str, Path(max_length=64, description="The gift's id.")]


class GiftPage(BaseModel):
    gifts: list[GiftLine]
    next: str | None = None


class OneGift(BaseModel):
    gift: GiftLine


class Proposal(Asked):
    """What is to be given, to whom, out of which budget, and why."""

    programme: Text
    beneficiary: Annotated[Text, Field(description="Such as partner:moses-frase.")]
    amount: Amount
    decimals: Annotated[int | None, Field(ge=0, le=6, description="Of a unit of the programme's own.")] = None
    budget: Text
    period: Annotated[Text, Field(description="Like 2026, 2026-Q1 or 2026-03; empty for a budget without periods.")] = (
        ""
    )
    reason: Reason


class Approval(Asked):
    note: Text = ""


class Rejection(Asked):
    reason: Reason


@router.get("/gifts")
async def list_gifts(books: TheBooks, caller: Viewer, asked: Newest, state: State | None = None) -> GiftPage:
    """The newest first."""
    rows = await _on(books).listed(asked.of, state, before=asked.before, limit=asked.limit + 1)
    page, then = page_of(rows, asked.limit, lambda row: (row.id,))
    return GiftPage(gifts=[gift_line(row) for row in page], next=then)


@router.get("/gifts/{id}")
async def show_gift(books: TheBooks, caller: Viewer, id: GiftId) -> OneGift:
    """One gift: who proposed it, who decided it, when and why."""
    return OneGift(gift=gift_line(await _on(books).show(id)))


@router.post("/gifts", **answers(OneGift))
async def propose(books: TheBooks, caller: Finance, once: Once, body: Proposal) -> Response:
    """Ask for a gift; nothing moves yet."""

    async def work(hand: Hand) -> OneGift:
        made = await _on(books, hand).propose(
            body.programme,
            body.beneficiary,
            body.amount.money(),
            budget=body.budget,
            period=body.period,
            reason=body.reason,
            key=secrets.token_hex(16),
            by=caller.who,
            decimals=decimals_of(body.amount.unit, body.decimals),
        )
        return OneGift(gift=gift_line(made))

    return await once(work)


@router.post("/gifts/{id}/approve", **answers(OneGift))
async def approve(books: TheBooks, caller: Approver, once: Once, id: GiftId, body: Approval) -> Response:
    """Grant it, out of its budget; by somebody else than who proposed it."""

    async def work(hand: Hand) -> OneGift:
        return OneGift(gift=gift_line(await _on(books, hand).approve(id, by=caller.who, because=body.note)))

    return await once(work)


@router.post("/gifts/{id}/reject", **answers(OneGift))
async def reject(books: TheBooks, caller: FinanceOrApprover, once: Once, id: GiftId, body: Rejection) -> Response:
    """Do not give it, and say why."""

    async def work(hand: Hand) -> OneGift:
        return OneGift(gift=gift_line(await _on(books, hand).reject(id, by=caller.who, because=body.reason)))

    return await once(work)


def _on(books: Books, hand: Hand | None = None) -> Gifts:
    hand = hand or Hand(books.database, Ledger(books.database))
    return Gifts(hand.connections, hand.ledger, clock=books.clock, limits=books.gift_limits)
