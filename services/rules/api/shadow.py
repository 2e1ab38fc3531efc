"""The shadow: a revision decided beside what is in force, on live events of some partners, paying nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field

from runtime.api.pages import Cursor, Limit, page_of, parts_of
from services.rules.api.bearer import AtDesk, Editor, Reader
from services.rules.api.bodies import Number, Programme, Step
from services.rules.shadowing import (
    SHARE_DEFAULT_PPM,
    end_shadow,
    shadow_days,
    shadow_partners,
    shadow_told,
    start_shadow,
)

router = APIRouter()
Which = Annotated[str | None, Query(max_length=128, description="The newest shadow of this programme; else of all.")]


class Started(Step):
    """`share_ppm` of the partners are followed, in millionths; by a hash, so they are the same each time."""

    share_ppm: Annotated[int, Field(gt=0, le=1_000_000)] = SHARE_DEFAULT_PPM


_STARTED = Started()
_NO_STEP = Step()


class ShadowRow(BaseModel):
    """A shadow. `reason`: why it failed."""

    number: int
    programme: str
    revision: int
    share_ppm: int
    state: Literal["running", "ended", "failed"]
    started_by: str
    started_at: str
    ended_by: str | None
    ended_at: str | None
    reason: str


class SumRow(BaseModel):
    """What both sides granted of one rule; `unit` is empty for what has no amount, such as a tier."""

    rule: str
    unit: str
    granted_before: int
    granted_after: int
    differing: int
    before_minor: int
    after_minor: int


class DayRow(SumRow):
    day: str


class DayPage(BaseModel):
    days: list[DayRow]
    next: str | None = None


class PartnerRow(BaseModel):
    """What a partner's differing grants come to."""

    partner: str
    unit: str
    before_minor: int
    after_minor: int


class PartnerPage(BaseModel):
    partners: list[PartnerRow]
    next: str | None = None


class ExampleRow(BaseModel):
    """A grant that differs; an amount is null where that side granted none, and `before` or `after` says why."""

    rule: str
    partner: str
    beneficiary: str
    event_source: str
    event_id: str
    event_at: str
    unit: str
    before_minor: int | None
    after_minor: int | None
    before: str
    after: str


class ShadowBody(ShadowRow):
    """How far it is (records of the past read, of how many; live records), and what differs."""

    past_read: int
    past_records: int
    live_records: int
    events: int
    rejected_before: int
    rejected_after: int
    rules: list[SumRow]
    examples: list[ExampleRow]


@router.get("/shadow/days")
async def days(
    desk: AtDesk, caller: Reader, programme: Which = None, limit: Limit = 100, cursor: Cursor = None
) -> DayPage:
    """What both sides granted, by local day, rule and unit."""
    after = 0 if cursor is None else int(parts_of(cursor, 1)[0])
    rows = await shadow_days(desk.postgres, programme, after=after, rows_max=limit + 1)
    page, then = page_of(rows, limit, lambda _: (after + limit,))
    return DayPage(days=[DayRow.model_validate(row) for row in page], next=then)


@router.get("/shadow/partners")
async def partners(
    desk: AtDesk, caller: Reader, programme: Which = None, limit: Limit = 100, cursor: Cursor = None
) -> PartnerPage:
    """Whose grants differ, and by how much; the largest difference first."""
    after = 0 if cursor is None else int(parts_of(cursor, 1)[0])
    rows = await shadow_partners(desk.postgres, programme, after=after, rows_max=limit + 1)
    page, then = page_of(rows, limit, lambda _: (after + limit,))
    return PartnerPage(partners=[PartnerRow.model_validate(row) for row in page], next=then)


@router.get("/shadow")
async def show(desk: AtDesk, caller: Reader, programme: Which = None) -> ShadowBody:
    """The newest shadow, while it runs and after: how far it is, and what differs by rule, with examples."""
    return ShadowBody.model_validate(await shadow_told(desk.postgres, programme))


@router.post("/shadow/end")
async def end(desk: AtDesk, caller: Editor, body: Annotated[Step, Body()] = _NO_STEP) -> ShadowRow:
    """End the shadow that runs; what differed stays to be read."""
    ended = await end_shadow(desk, who=caller.who, note=body.note)
    return ShadowRow.model_validate(ended.as_json())


@router.post("/programmes/{programme:path}/revisions/{revision}/shadow", status_code=201)
async def start(
    desk: AtDesk,
    caller: Editor,
    programme: Programme,
    revision: Number,
    body: Annotated[Started, Body()] = _STARTED,
) -> ShadowRow:
    """Let a stored revision be decided beside what is in force, for a share of the partners, from now on."""
    started = await start_shadow(desk, programme, revision, share_ppm=body.share_ppm, who=caller.who, note=body.note)
    return ShadowRow.model_validate(started.as_json())
