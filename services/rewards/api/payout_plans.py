"""What programmes pay out, and how: minimum, fee, schedule and payer; and who changed that, or did what to payouts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from contracts.events import format_time
from contracts.money import AMOUNT_MINOR_MAX
from runtime.api.pages import Asked, Cursor, Limit, page_of, parts_of
from services.rewards.api.bodies import NO_NUL, Text, Unit
from services.rewards.api.books import Finance, TheBooks, Viewer
from services.rewards.api.once import Hand, Once, answers
from services.rewards.payouts import directory
from services.rewards.payouts.audit import list_audit
from services.rewards.payouts.payee import Method
from services.rewards.payouts.plan import FeeBearer, PlanChange, plan_shown

router = APIRouter()
Charge = Annotated[int | None, Field(ge=0, le=AMOUNT_MINOR_MAX, description="Minor units.")]


class PlansBody(BaseModel):
    """What programmes pay out: minimum, fee, schedule and payer of each currency."""

    plans: list[dict[str, Any]]


class PlanBody(Asked):
    """What is set of a plan; null, or nothing, leaves it as it was. A new schedule is due from today on."""

    programme: Text
    currency: Unit
    minimum_minor: Charge = None
    fee_minor: Charge = None
    fee_borne_by: FeeBearer | None = None
    method: Annotated[Method | Literal["all"] | None, Field(description="Only payees paid like this.")] = None
    schedule: Annotated[
        Text | None, Field(description="`monthly on 5`, `weekly on monday`, `daily` or `on request`.")
    ] = None
    zone: Annotated[Text | None, Field(description="Where days begin: Europe/Berlin.")] = None
    payer_name: Annotated[Text | None, Field(description="From whose account banks pay.")] = None
    payer_iban: Text | None = None
    payer_bic: Text | None = None


class PlanSet(BaseModel):
    """`changed` is false where it was like this already."""

    changed: bool
    plan: dict[str, Any]


class Deed(BaseModel):
    """Who did what to a payee, a plan or a run; account numbers are masked."""

    number: int
    at: str
    who: str
    action: str
    about: str
    details: dict[str, Any]


class DeedPage(BaseModel):
    deeds: list[Deed]
    next: str | None = None


@router.get("/payout-plans")
async def list_plans(books: TheBooks, caller: Viewer) -> PlansBody:
    """Plans by programme and currency."""
    async with books.database.connection() as connection:
        plans = await directory.list_plans(connection)
    return PlansBody(plans=[plan_shown(plan) for plan in plans])


@router.post("/payout-plans", **answers(PlanSet))
async def set_plan(books: TheBooks, caller: Finance, once: Once, body: PlanBody) -> Response:
    """Say what a programme pays out in a currency, and how. Runs that are prepared keep what they have."""
    change = PlanChange(**body.model_dump(exclude={"programme", "currency"}))

    async def work(hand: Hand) -> PlanSet:
        is_news, plan = await directory.change_plan(
            hand.connections, body.programme, body.currency, change, who=caller.who, clock=books.clock
        )
        return PlanSet(changed=is_news, plan=plan_shown(plan))

    return await once(work)


@router.get("/payout-audit")
async def audit(
    books: TheBooks,
    caller: Viewer,
    about: Annotated[
        str | None,
        Query(max_length=512, pattern=NO_NUL, description="A beneficiary, `programme/currency`, or the id of a run."),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeedPage:
    """Who did what to payees, plans and runs, and when; the newest first."""
    before = None if cursor is None else int(parts_of(cursor, 1)[0])
    async with books.database.connection() as connection:
        rows = await list_audit(connection, about, before=before, count_max=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["number"],))
    return DeedPage(
        deeds=[
            Deed(
                number=row["number"],
                at=format_time(row["at_ms"]),
                who=row["who"],
                action=row["action"],
                about=row["subject"],
                details=row["details"],
            )
            for row in page
        ],
        next=then,
    )
