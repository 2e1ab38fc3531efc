"""Single payouts: what a partner asks for, and what the bank says of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from runtime.api.pages import Asked
from services.rewards.api.bodies import Minor, Text, Unit
from services.rewards.api.books import Books, Finance, FinanceOrApprover, TheBooks
from services.rewards.api.once import Hand, Once, answers
from services.rewards.api.payout_bodies import CancelBody, PayoutRow, SettleBody
from services.rewards.payouts.desk import PayoutDesk
from services.rewards.payouts.listing import payout_shown
from services.rewards.payouts.payout import Payout
from services.rewards.payouts.preparing import Preparer

router = APIRouter()
PayoutId = Annotated[str, Path(max_length=64, description="The payout's id, or the bank file's end-to-end id.")]


class NewRequest(Asked):
    """A beneficiary asks to be paid now; approved as any other, and one at a time."""

    beneficiary: Annotated[Text, Field(description="Such as partner:moses-frase.")]
    programme: Text
    currency: Annotated[Unit, Field(description="Of the balance.")]
    minor: Annotated[Minor | None, Field(description="Minor units; else all that can be paid.")] = None


class RequestedBody(BaseModel):
    run: str
    payout: PayoutRow


@router.post("/payout-requests", **answers(RequestedBody))
async def request(books: TheBooks, caller: Finance, once: Once, body: NewRequest) -> Response:
    """Prepare a payout that somebody asked for, in a run of its own."""

    async def work(hand: Hand) -> RequestedBody:
        preparer = Preparer(hand.connections, hand.ledger, clock=books.clock)
        run, payout = await preparer.request(
            body.programme, body.currency, body.beneficiary, body.minor, who=caller.who
        )
        return RequestedBody(run=run.id, payout=PayoutRow.model_validate(payout_shown(payout)))

    return await once(work)


@router.post("/payouts/{payout}/settle", **answers(PayoutRow))
async def settle(books: TheBooks, caller: Finance, once: Once, payout: PayoutId, body: SettleBody) -> Response:
    """The bank has paid it."""
    return await _step(books, once, lambda desk: desk.settle(payout, None, body.reference, who=caller.who))


@router.post("/payouts/{payout}/return", **answers(PayoutRow))
async def return_payout(books: TheBooks, caller: Finance, once: Once, payout: PayoutId, body: CancelBody) -> Response:
    """The bank could not pay it, or has it back: it is available again."""
    return await _step(books, once, lambda desk: desk.return_(payout, None, body.reason, who=caller.who))


@router.post("/payouts/{payout}/cancel", **answers(PayoutRow))
async def cancel(
    books: TheBooks, caller: FinanceOrApprover, once: Once, payout: PayoutId, body: CancelBody
) -> Response:
    """Take it out of a run that was not sent."""
    return await _step(books, once, lambda desk: desk.cancel_one(payout, who=caller.who, reason=body.reason))


async def _step(books: Books, once: Once, step: Callable[[PayoutDesk], Awaitable[Payout]]) -> Response:
    async def work(hand: Hand) -> PayoutRow:
        desk = PayoutDesk(hand.connections, hand.ledger, clock=books.clock)
        return PayoutRow.model_validate(payout_shown(await step(desk)))

    return await once(work)
