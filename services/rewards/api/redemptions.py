"""What is redeemed of what is offered: reserved, fulfilled, cancelled; codes are revealed one by one."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from runtime.api.pages import Asked, page_of
from services.rewards.api.bodies import Newest, Reason, Text
from services.rewards.api.books import Books, Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.catalogue.items import QUANTITY_MAX
from services.rewards.redemptions.deciding import State
from services.rewards.redemptions.line import RedemptionInFull, RedemptionLine, redemption_line
from services.rewards.redemptions.redeeming import Redemptions
from services.rewards.store import Ledger

router = APIRouter()

RedemptionId = Annotated[str, Path(max_length=64, description="The redemption's id.")]


class RedemptionPage(BaseModel):
    redemptions: list[RedemptionLine]
    next: str | None = None


class OneRedemption(BaseModel):
    redemption: RedemptionLine


class WholeRedemption(BaseModel):
    redemption: RedemptionInFull


class Codes(BaseModel):
    """What a redemption handed out."""

    codes: list[str]


class Wish(Asked):
    """So many of an item, for somebody."""

    programme: Text
    item: Text
    beneficiary: Annotated[Text, Field(description="Such as partner:moses-frase.")]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] = 1


class Fulfilment(Asked):
    """What was handed over."""

    codes: Annotated[tuple[Text, ...], Field(max_length=QUANTITY_MAX, description="Where none are loaded.")] = ()


class Because(Asked):
    reason: Reason


@router.get("/redemptions")
async def list_redemptions(
    books: TheBooks, caller: Viewer, asked: Newest, state: State | None = None
) -> RedemptionPage:
    """The newest first."""
    rows = await _on(books).listed(asked.of, state, before=asked.before, limit=asked.limit + 1)
    page, then = page_of(rows, asked.limit, lambda row: (row.id,))
    return RedemptionPage(redemptions=[redemption_line(row) for row in page], next=then)


@router.get("/redemptions/{id}")
async def show_redemption(books: TheBooks, caller: Viewer, id: RedemptionId) -> WholeRedemption:
    """One redemption, its codes masked, and who was shown them."""
    return WholeRedemption(redemption=await _on(books).show(id))


@router.post("/redemptions", **answers(OneRedemption))
async def reserve(books: TheBooks, caller: Finance, once: Once, body: Wish) -> Response:
    """Set something aside, and what it costs; never more than there is."""

    async def work(hand: Hand) -> OneRedemption:
        # The request is carried out once, so its redemption needs no name that anybody else knows.
        made = await _on(books, hand).reserve(
            body.programme,
            body.item,
            body.beneficiary,
            quantity=body.quantity,
            key=secrets.token_hex(16),
            by=caller.who,
        )
        return OneRedemption(redemption=redemption_line(made))

    return await once(work)


@router.post("/redemptions/{id}/fulfil", **answers(OneRedemption))
async def fulfil(books: TheBooks, caller: Finance, once: Once, id: RedemptionId, body: Fulfilment) -> Response:
    """It was handed over; an item with codes hands out its own."""

    async def work(hand: Hand) -> OneRedemption:
        made = await _on(books, hand).fulfil(id, codes=body.codes, by=caller.who)
        return OneRedemption(redemption=redemption_line(made))

    return await once(work)


@router.post("/redemptions/{id}/cancel", **answers(OneRedemption))
async def cancel(books: TheBooks, caller: Finance, once: Once, id: RedemptionId, body: Because) -> Response:
    """What was reserved goes back; what has expired meanwhile then expires."""

    async def work(hand: Hand) -> OneRedemption:
        made = await _on(books, hand).cancel(id, reason=body.reason, by=caller.who)
        return OneRedemption(redemption=redemption_line(made))

    return await once(work)


# Not kept as an answer to a key: codes stand in one place only.
@router.get("/redemption-codes/{id}")
async def reveal(books: TheBooks, caller: Finance, response: Response, id: RedemptionId) -> Codes:
    """The codes that it handed out; it is kept who saw them."""
    response.headers["Cache-Control"] = "no-store"
    return Codes(codes=await _on(books).reveal(id, by=caller.who))


def _on(books: Books, hand: Hand | None = None) -> Redemptions:
    hand = hand or Hand(books.database, Ledger(books.database))
    return Redemptions(hand.connections, hand.ledger, clock=books.clock, reserved_days_max=books.reserved_days_max)
