"""Questions about revisions: which there are, the text, the plain words, what one changes, and what it still lacks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response

from contracts.errors import PermanentError, Problem
from contracts.ruleset import RuleSet
from runtime.api.pages import Cursor, Limit, page_of, parts_of
from services.rules.api.bearer import AtDesk, Reader
from services.rules.api.bodies import ChangesBody, GateBody, Number, ProblemRow, Programme, RevisionPage, RevisionRow
from services.rules.comparing import changes_as_json, differences
from services.rules.language import read_rule_set
from services.rules.lifecycle import Desk, Revision, gate_of, list_revisions, show_revision, shown_states
from services.rules.words import LANGUAGES, describe, render

router = APIRouter()
_ONE = "/programmes/{programme:path}/revisions/{revision}"
_MEDIA = {"text": "text/plain", "markdown": "text/markdown", "html": "text/html"}


@router.get("/revisions")
async def list_all(
    desk: AtDesk,
    caller: Reader,
    programme: Annotated[str | None, Query(max_length=128)] = None,
    state: Annotated[str | None, Query(max_length=32, description="Only those shown in this state.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> RevisionPage:
    """Revisions of one programme or of all, oldest first within a programme."""
    revisions = await list_revisions(desk.postgres, programme, with_text=False)
    shown = shown_states(revisions, desk.clock.now_ms())
    after = ("", 0)
    if cursor is not None:
        name, number = parts_of(cursor, 2)
        after = (name, int(number))
    rows = [
        _row(each, shown)
        for each in revisions
        if (each.programme, each.revision) > after and state in (None, shown[each.programme, each.revision])
    ]
    page, then = page_of(rows, limit, lambda row: (row.programme, row.revision))
    return RevisionPage(revisions=page, next=then)


@router.get(_ONE + "/text", response_class=PlainTextResponse)
async def text(desk: AtDesk, caller: Reader, programme: Programme, revision: Number) -> Response:
    """The file as it was submitted, byte for byte."""
    found = await show_revision(desk.postgres, programme, revision)
    return Response(found.source_text, media_type="application/yaml", headers={"ETag": f'"{found.digest}"'})


@router.get(_ONE + "/words", response_class=PlainTextResponse)
async def words(
    desk: AtDesk,
    caller: Reader,
    programme: Programme,
    revision: Number,
    lang: Annotated[str, Query(max_length=20)] = "en",
    format: Literal["text", "markdown", "html"] = "text",
) -> Response:
    """The programme in plain words, for partners."""
    if lang not in LANGUAGES:
        message, known = f'there is no language "{lang}"', ", ".join(LANGUAGES)
        raise PermanentError(
            Problem(code="unknown-language", message=message, where="lang", help=f"languages: {known}")
        )
    found = await show_revision(desk.postgres, programme, revision)
    page = await asyncio.to_thread(lambda: render(describe(_read(found), lang), format))
    return Response(page, media_type=_MEDIA[format])


@router.get(_ONE + "/diff")
async def diff(
    desk: AtDesk,
    caller: Reader,
    programme: Programme,
    revision: Number,
    against: Annotated[int | None, Query(ge=1, description="A revision; else the one it was submitted over.")] = None,
) -> ChangesBody:
    """What it changes in meaning, in words, and which partners that can touch."""
    found = await show_revision(desk.postgres, programme, revision)
    number = found.base_revision if against is None else against
    if number is None:
        raise PermanentError(
            Problem(
                code="nothing-to-compare",
                message=f"revision {revision} of {programme} was submitted before any was active",
                where="against",
                help="name a revision with ?against=",
            )
        )
    other = await show_revision(desk.postgres, programme, number)
    compared = await asyncio.to_thread(lambda: changes_as_json(differences(_read(other), _read(found))))
    return ChangesBody.model_validate(compared | {"against": number})


@router.get(_ONE + "/gate")
async def gate(desk: AtDesk, caller: Reader, programme: Programme, revision: Number) -> GateBody:
    """Everything that keeps it from being activated now. Changes nothing."""
    problems = await gate_of(desk, programme, revision)
    return GateBody(problems=[ProblemRow.model_validate(msgspec.to_builtins(each)) for each in problems])


@router.get(_ONE)
async def show(desk: AtDesk, caller: Reader, programme: Programme, revision: Number) -> RevisionRow:
    """One revision, without its text."""
    return await _shown(desk, programme, revision)


async def _shown(desk: Desk, programme: str, revision: int) -> RevisionRow:
    found = await show_revision(desk.postgres, programme, revision)
    return _row(
        found, shown_states(await list_revisions(desk.postgres, programme, with_text=False), desk.clock.now_ms())
    )


def _row(revision: Revision, shown: dict[tuple[str, int], str]) -> RevisionRow:
    return RevisionRow.model_validate(revision.as_json() | {"state": shown[revision.programme, revision.revision]})


def _read(revision: Revision) -> RuleSet:
    return read_rule_set(revision.source_text, path=revision.path)
