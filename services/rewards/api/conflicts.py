"""What came again with other data, and what the ledger would not take; neither ever moved anything."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from runtime.api.pages import Cursor, Limit, page_of, texts_of
from services.rewards.api.bodies import checked_id
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.reads import Conflict, Refusal, conflicts, refusals

router = APIRouter()


class ConflictPage(BaseModel):
    conflicts: list[Conflict]
    next: str | None = None


class RefusalPage(BaseModel):
    refusals: list[Refusal]
    next: str | None = None


@router.get("/conflicts")
async def list_conflicts(books: TheBooks, caller: Viewer, limit: Limit = 100, cursor: Cursor = None) -> ConflictPage:
    """Ids that came again with other data, and the fields that differ; the newest first."""
    after = None
    if cursor is not None:
        transfer, digest = texts_of(cursor, 2)
        after = (checked_id(transfer), digest)
    rows = await books.ask(conflicts, after=after, limit=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["transfer"], row["digest"]))
    return ConflictPage(conflicts=page, next=then)


@router.get("/refusals")
async def list_refusals(books: TheBooks, caller: Viewer, limit: Limit = 100, cursor: Cursor = None) -> RefusalPage:
    """Postings that the ledger would not take, and why; the newest first."""
    after = None if cursor is None else checked_id(texts_of(cursor, 1)[0])
    rows = await books.ask(refusals, after=after, limit=limit + 1)
    page, then = page_of(rows, limit, lambda row: (row["transfer"],))
    return RefusalPage(refusals=page, next=then)
