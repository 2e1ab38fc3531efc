"""Who did what: the audit log, page by page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from runtime.api.pages import Cursor, Limit, page_of, parts_of
from services.rules.api.bearer import AtDesk, Reader
from services.rules.api.bodies import AuditPage, AuditRowBody
from services.rules.lifecycle import read_audit

router = APIRouter()


@router.get("/audit")
async def audit(
    desk: AtDesk,
    caller: Reader,
    programme: Annotated[str | None, Query(max_length=128)] = None,
    revision: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AuditPage:
    """Who did what to which revision, when and why; oldest first."""
    after = 0 if cursor is None else int(parts_of(cursor, 1)[0])
    rows = await read_audit(desk.postgres, programme, revision=revision, after=after, rows_max=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row.number,))
    return AuditPage(rows=[AuditRowBody.model_validate(row.as_json()) for row in page], next=then)
