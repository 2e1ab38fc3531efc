"""Corrections of the past: which there are, what they pay or take back, and who approves them.

They are proposed by `goodword rules restate`, since the log is replayed for that.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, Field

from runtime.api.pages import Cursor, Limit, page_of, parts_of
from services.rules.api.bearer import Approver, AtDesk, Reader
from services.rules.api.bodies import Programme, Step
from services.rules.restating import (
    approve_restatement,
    list_restatements,
    reject_restatement,
    restated_lines,
    restated_partners,
    show_restatement,
)

router = APIRouter()
RestatementNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="The restatement's number.")]
_ONE = "/programmes/{programme:path}/restatements/{number}"
_NO_STEP = Step()


class RestatementRow(BaseModel):
    """A restatement, without its lines. Days are local and inclusive; `to` null: to the end."""

    id: str
    programme: str
    number: int
    state: Literal["proposed", "approved", "posted", "rejected"]
    revision: int | None
    label: str
    digest: str
    from_: Annotated[str, Field(alias="from")]
    to: str | None
    events: int
    proposed_by: str
    proposed_at: str
    note: str
    decided_by: str | None
    decided_at: str | None
    posted_at: str | None


class RestatementPage(BaseModel):
    restatements: list[RestatementRow]
    next: str | None = None


class BeneficiaryRow(BaseModel):
    """What somebody gets in all, or gives back (below zero); `decimals` null: those of the currency, else 0."""

    partner: str
    beneficiary: str
    unit: str
    decimals: int | None
    amount_minor: int
    decisions: int


class RestatementBody(BaseModel):
    restatement: RestatementRow
    beneficiaries: list[BeneficiaryRow]


class LineRow(BaseModel):
    """One adjusting decision: what is due, what has been paid so far, and the difference."""

    line: int
    decision: str
    partner: str
    rule: str
    beneficiary: str
    unit: str
    decimals: int | None
    event_at: str
    event_source: str
    event_id: str
    paid_minor: int
    due_minor: int
    amount_minor: int


class LinePage(BaseModel):
    lines: list[LineRow]
    next: str | None = None


@router.get("/restatements")
async def list_all(
    desk: AtDesk,
    caller: Reader,
    programme: Annotated[str | None, Query(max_length=128)] = None,
    state: Annotated[str | None, Query(max_length=32)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> RestatementPage:
    """Restatements of one programme or of all, oldest first within a programme."""
    after = ("", 0)
    if cursor is not None:
        name, number = parts_of(cursor, 2)
        after = (name, int(number))
    found = [
        each
        for each in await list_restatements(desk.postgres, programme)
        if (each.programme, each.number) > after and state in (None, each.state)
    ]
    page, then = page_of(found, limit, lambda each: (each.programme, each.number))
    return RestatementPage(restatements=[RestatementRow.model_validate(each.as_json()) for each in page], next=then)


@router.get(_ONE + "/lines")
async def lines(
    desk: AtDesk,
    caller: Reader,
    programme: Programme,
    number: RestatementNumber,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> LinePage:
    """Its adjusting decisions, one by one."""
    await show_restatement(desk.postgres, programme, number)
    after = 0 if cursor is None else int(parts_of(cursor, 1)[0])
    rows = await restated_lines(desk.postgres, programme, number, after=after, rows_max=limit + 1)
    page, then = page_of([LineRow.model_validate(row) for row in rows], limit, lambda row: (row.line,))
    return LinePage(lines=page, next=then)


@router.get(_ONE)
async def show_one(desk: AtDesk, caller: Reader, programme: Programme, number: RestatementNumber) -> RestatementBody:
    """One restatement, and what it pays to whom, the largest amounts first."""
    found = await show_restatement(desk.postgres, programme, number)
    rows = await restated_partners(desk.postgres, programme, number)
    return RestatementBody(
        restatement=RestatementRow.model_validate(found.as_json()),
        beneficiaries=[BeneficiaryRow.model_validate(row) for row in rows],
    )


@router.post(_ONE + "/approve")
async def approve(
    desk: AtDesk,
    caller: Approver,
    programme: Programme,
    number: RestatementNumber,
    body: Annotated[Step, Body()] = _NO_STEP,
) -> RestatementRow:
    """Approve what somebody else has proposed, and post its decisions to the ledger."""
    posted = await approve_restatement(desk, programme, number, who=caller.who, note=body.note)
    return RestatementRow.model_validate(posted.as_json())


@router.post(_ONE + "/reject")
async def reject(
    desk: AtDesk,
    caller: Reader,
    programme: Programme,
    number: RestatementNumber,
    body: Annotated[Step, Body()] = _NO_STEP,
) -> RestatementRow:
    """End a restatement that was not approved."""
    rejected = await reject_restatement(desk, programme, number, who=caller.who, note=body.note)
    return RestatementRow.model_validate(rejected.as_json())
