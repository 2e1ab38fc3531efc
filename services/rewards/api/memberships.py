"""Paid memberships: sold, cancelled, listed."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from runtime.api.pages import Asked, page_of
from services.rewards.api.bodies import Amount, Newest, Reason, Text, decimals_of
from services.rewards.api.books import Books, Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.memberships.line import MembershipLine, membership_line
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.memberships.terms import Per, State
from services.rewards.store import Ledger

router = APIRouter()

MembershipId = Annotated[str, Path(max_length=64, description="The membership's id.")]


class MembershipPage(BaseModel):
    memberships: list[MembershipLine]
    next: str | None = None


class OneMembership(BaseModel):
    membership: MembershipLine


class Purchase(Asked):
    """A tier for a term, at a price. What the rule set says of it is for who asks to know."""

    programme: Text
    beneficiary: Annotated[Text, Field(description="Such as partner:moses-frase.")]
    tier: Text
    back_to: Annotated[Text, Field(description="The tier afterwards.")]
    price: Amount
    decimals: Annotated[int | None, Field(ge=0, le=6, description="Of a unit of the programme's own.")] = None
    per: Per
    paid_outside: Annotated[Text | None, Field(description="Names a payment elsewhere; nothing is charged.")] = None
    renews: bool = False


class Cancellation(Asked):
    reason: Reason
    refund: Annotated[bool, Field(description="Give back what is unused of the term, by days.")] = True


@router.get("/memberships")
async def list_memberships(
    books: TheBooks, caller: Viewer, asked: Newest, state: State | None = None
) -> MembershipPage:
    """The newest first."""
    rows = await _on(books).listed(asked.of, state, before=asked.before, limit=asked.limit + 1)
    page, then = page_of(rows, asked.limit, lambda row: (row.id,))
    return MembershipPage(memberships=[membership_line(row) for row in page], next=then)


@router.get("/memberships/{id}")
async def show_membership(books: TheBooks, caller: Viewer, id: MembershipId) -> OneMembership:
    """One membership."""
    return OneMembership(membership=membership_line(await _on(books).show(id)))


@router.post("/memberships", **answers(OneMembership))
async def buy(books: TheBooks, caller: Finance, once: Once, body: Purchase) -> Response:
    """Charge the first term; the rules hear of the tier within seconds."""
    price = body.price
    offer = Offer(
        tier=body.tier,
        back_to=body.back_to,
        per=body.per,
        price_minor=price.minor,
        unit=price.unit,
        decimals=decimals_of(price.unit, body.decimals),
        paid_outside=body.paid_outside,
        renews=body.renews,
    )

    async def work(hand: Hand) -> OneMembership:
        made = await _on(books, hand).buy(
            body.programme, body.beneficiary, offer, key=secrets.token_hex(16), by=caller.who
        )
        return OneMembership(membership=membership_line(made))

    return await once(work)


@router.post("/memberships/{id}/cancel", **answers(OneMembership))
async def cancel(books: TheBooks, caller: Finance, once: Once, id: MembershipId, body: Cancellation) -> Response:
    """End it now; what is unused goes back to where it came from."""

    async def work(hand: Hand) -> OneMembership:
        on = _on(books, hand)
        made = await on.cancel(id, reason=body.reason, by=caller.who, is_refunded=body.refund)
        return OneMembership(membership=membership_line(made))

    return await once(work)


def _on(books: Books, hand: Hand | None = None) -> Memberships:
    hand = hand or Hand(books.database, Ledger(books.database))
    return Memberships(hand.connections, hand.ledger, clock=books.clock)
