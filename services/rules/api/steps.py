"""The steps of one stored revision: test, approve, reject, withdraw, activate."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Body

from services.rules.api.bearer import Approver, AtDesk, Editor, Reader
from services.rules.api.bodies import Activation, Number, ProblemRow, Programme, RevisionRow, Step, TestedBody
from services.rules.lifecycle import activate, approve, reject, run_checks, withdraw
from services.rules.testing import report_as_json

router = APIRouter(prefix="/programmes/{programme:path}/revisions/{revision}")
_NO_STEP = Step()
_NO_ACTIVATION = Activation()


@router.post("/test")
async def test_revision(desk: AtDesk, caller: Editor, programme: Programme, revision: Number) -> TestedBody:
    """Run the tests in its file, and the second engine."""
    after, checked, problems = await run_checks(desk, programme, revision, who=caller.who)
    return TestedBody(
        revision=RevisionRow.model_validate(after.as_json()),
        problems=[ProblemRow.model_validate(msgspec.to_builtins(each)) for each in problems],
        second_opinion=checked.second_opinion,
        tests=report_as_json(checked.tested)["tests"],
    )


@router.post("/approve")
async def approve_revision(
    desk: AtDesk, caller: Approver, programme: Programme, revision: Number, body: Annotated[Step, Body()] = _NO_STEP
) -> RevisionRow:
    """Approve a tested revision that somebody else has submitted."""
    approved = await approve(desk, programme, revision, who=caller.who, note=body.note)
    return RevisionRow.model_validate(approved.as_json())


@router.post("/reject")
async def reject_revision(
    desk: AtDesk, caller: Approver, programme: Programme, revision: Number, body: Annotated[Step, Body()] = _NO_STEP
) -> RevisionRow:
    """End a revision that is not in force."""
    rejected = await reject(desk, programme, revision, who=caller.who, note=body.note)
    return RevisionRow.model_validate(rejected.as_json())


@router.post("/withdraw")
async def withdraw_revision(
    desk: AtDesk, caller: Reader, programme: Programme, revision: Number, body: Annotated[Step, Body()] = _NO_STEP
) -> RevisionRow:
    """Take back a revision that is not in force, or a canary."""
    withdrawn = await withdraw(desk, programme, revision, who=caller.who, note=body.note)
    return RevisionRow.model_validate(withdrawn.as_json())


@router.post("/activate")
async def activate_revision(
    desk: AtDesk,
    caller: Reader,
    programme: Programme,
    revision: Number,
    body: Annotated[Activation, Body()] = _NO_ACTIVATION,
) -> RevisionRow:
    """Let a revision that the gate lets through enter into force, for everybody or for some partners first."""
    active = await activate(
        desk,
        programme,
        revision,
        who=caller.who,
        note=body.note,
        canary=body.asked(),
        without_second_opinion=body.without_second_opinion,
    )
    return RevisionRow.model_validate(active.as_json())
