"""What people book: a hold voided or released early, a decision that waits let through, a debt written off.

Who books it is the owner of the key.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from contracts.money import Money
from runtime.api.pages import Asked
from services.rewards.api.bodies import Amount, Booked, DecisionId, Minor, Reason, Text, Unit, booked
from services.rewards.api.books import Books, Finance, FinanceOrApprover, TheBooks
from services.rewards.api.once import Hand, Once, answers
from services.rewards.by_hand import Bookings
from services.rewards.legs import ByHand

router = APIRouter()


class Because(Asked):
    """Why something is booked by hand."""

    reason: Reason


class Part(Because):
    """A part of a hold, or all of it."""

    amount: Annotated[Amount | None, Field(description="A part; else all of it.")] = None

    def money(self) -> Money | None:
        return None if self.amount is None else self.amount.money()


class WriteOff(Because):
    """What an account owes is forgiven at the cost of a programme."""

    account: Annotated[Text, Field(description="Such as partner:moses-frase:available.")]
    programme: Annotated[Text, Field(description="At whose cost.")]
    unit: Unit
    minor: Annotated[Minor | None, Field(description="A part, in minor units; else all that it owes.")] = None


@router.post("/decisions/{decision}/void", **answers(Booked))
async def void(books: TheBooks, caller: Finance, once: Once, decision: DecisionId, body: Part) -> Response:
    """Take a hold back, or a part of it; a decision that waits is refused for good."""

    async def work(hand: Hand) -> Booked:
        return booked(await _on(books, hand).void(decision, body.money(), _by(caller.who, body)))

    return await once(work)


@router.post("/decisions/{decision}/release", **answers(Booked))
async def release(books: TheBooks, caller: Finance, once: Once, decision: DecisionId, body: Part) -> Response:
    """Let go of a hold before its end, or of a part of it."""

    async def work(hand: Hand) -> Booked:
        return booked(await _on(books, hand).release(decision, body.money(), _by(caller.who, body)))

    return await once(work)


@router.post("/decisions/{decision}/admit", **answers(Booked))
async def admit(books: TheBooks, caller: Finance, once: Once, decision: DecisionId, body: Because) -> Response:
    """Grant a decision that waits for a budget, although it is spent; the budget is not claimed."""

    async def work(hand: Hand) -> Booked:
        return booked(await _on(books, hand).admit(decision, _by(caller.who, body)))

    return await once(work)


@router.post("/write-offs", **answers(Booked))
async def write_off(books: TheBooks, caller: FinanceOrApprover, once: Once, body: WriteOff) -> Response:
    """Forgive what an account owes, or a part of it; large ones are an approver's."""
    minor_max = None if "approver" in caller.roles else books.write_off_minor_max

    async def work(hand: Hand) -> Booked:
        by_hand = _by(caller.who, body)
        on = _on(books, hand)
        return booked(
            await on.write_off(body.account, body.unit, body.programme, body.minor, by_hand, minor_max=minor_max)
        )

    return await once(work)


def _on(books: Books, hand: Hand) -> Bookings:
    return Bookings(hand.connections, clock=books.clock, ledger=hand.ledger)


def _by(who: str, body: Because) -> ByHand:
    return ByHand(body.reason, who)
