"""Whole files: submit one as a draft, or publish it in one go; and go back to an earlier text."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Query, Request, Response

from services.rules.api.bearer import Approver, AtDesk, Editor
from services.rules.api.bodies import (
    RULE_FILE,
    FilePath,
    NoteQuery,
    Programme,
    PublishedBody,
    RevisionRow,
    Rollback,
    Step,
    rule_file,
)
from services.rules.lifecycle import CanaryAsked, promote, publish_rule_set, rollback, submit_draft

router = APIRouter()
_NO_STEP = Step()
_NO_ROLLBACK = Rollback()


@router.post(
    "/rulesets",
    openapi_extra=RULE_FILE,
    status_code=201,
    responses={200: {"description": "The active revision has this very text."}, 202: {"description": "It waits."}},
)
async def publish(
    request: Request,
    response: Response,
    desk: AtDesk,
    caller: Editor,
    path: FilePath = "programme.yaml",
    note: NoteQuery = "",
    canary_ppm: Annotated[int | None, Query(gt=0, lt=1_000_000)] = None,
    canary_group: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
    without_second_opinion: bool = False,
) -> PublishedBody:
    """Take a rule file as far as it may go: 201 in force, 202 stored and waiting, 200 nothing new."""
    text = await rule_file(request)
    asked = None
    if canary_ppm is not None or canary_group is not None:
        asked = CanaryAsked(share_ppm=canary_ppm, group=canary_group)
    published = await publish_rule_set(
        desk, text, path, who=caller.who, note=note, canary=asked, without_second_opinion=without_second_opinion
    )
    response.status_code = 202 if published.waits_for else 201 if published.is_new else 200
    return PublishedBody.model_validate(msgspec.to_builtins(published))


@router.post(
    "/drafts", openapi_extra=RULE_FILE, status_code=201, responses={200: {"description": "It is there already."}}
)
async def submit(
    request: Request,
    response: Response,
    desk: AtDesk,
    caller: Editor,
    path: FilePath = "programme.yaml",
    note: NoteQuery = "",
) -> RevisionRow:
    """Store a rule file that has no errors as a draft."""
    draft, is_new = await submit_draft(desk, await rule_file(request), path, who=caller.who, note=note)
    response.status_code = 201 if is_new else 200
    return RevisionRow.model_validate(draft.as_json())


@router.post("/programmes/{programme:path}/rollback")
async def roll_back(
    desk: AtDesk, caller: Approver, programme: Programme, body: Annotated[Rollback, Body()] = _NO_ROLLBACK
) -> RevisionRow:
    """Bring an earlier text back into force at once, as a new revision."""
    new = await rollback(desk, programme, who=caller.who, to=body.to, note=body.note)
    return RevisionRow.model_validate(new.as_json())


@router.post("/programmes/{programme:path}/promote")
async def promote_canary(
    desk: AtDesk, caller: Approver, programme: Programme, body: Annotated[Step, Body()] = _NO_STEP
) -> RevisionRow:
    """Let the programme's canary enter into force for everybody."""
    promoted = await promote(desk, programme, who=caller.who, note=body.note)
    return RevisionRow.model_validate(promoted.as_json())
