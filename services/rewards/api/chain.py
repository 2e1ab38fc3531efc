"""The hash chain: heads that were signed, and the chain recomputed, a part at a time.

A part takes as long as whoever asks says, and its `next` is the last block that it saw, with its hash. So a portal goes
through a ledger of any size with progress, goes on after an interruption with any process, and nothing is kept here.
"""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel

from contracts.errors import PermanentError, Problem
from contracts.facts import LedgerHead
from runtime.api.pages import Cursor, Limit, bad_cursor, cursor_of, page_of, parts_of
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.chain.encoding import HASH_BYTES
from services.rewards.chain.findings import FindingKind
from services.rewards.chain.heads import kept_heads, newest_head
from services.rewards.chain.verify import verify_part

router = APIRouter()
SECONDS_MAX = 10
BLOCK_MAX = 2**63 - 1


class HeadRow(BaseModel):
    """After this block, the hash is this: signed by the key that it names (Ed25519, docs/ledger.md)."""

    id: str
    block: int
    hash: str
    hash_version: int
    signed_at_ms: int
    public_key: str
    signature: str


class HeadPage(BaseModel):
    heads: list[HeadRow]
    next: str | None = None


class FindingRow(BaseModel):
    """One thing that is not as it was sealed."""

    kind: FindingKind
    block: int | None
    transfer: str | None
    message: str


class VerifiedPart(BaseModel):
    """What a part of the chain came to. `next` is null when that was the rest of it.

    `findings` has the first of them, `findings_count` counts all; `holds` is of this part.
    """

    holds: bool
    first_block: int | None
    last_block: int | None
    last_hash: str | None
    blocks: int
    transfers: int
    findings_count: int
    findings: list[FindingRow]
    next: str | None = None


@router.get("/chain/head")
async def show_head(books: TheBooks, caller: Viewer) -> HeadRow:
    """The newest signed head. Keep it elsewhere: `goodword ledger verify --head FILE` holds the ledger against it."""
    head = await books.ask(newest_head)
    if head is None:
        help = "heads are signed every GOODWORD_REWARDS_SIGN_EVERY_S with GOODWORD_REWARDS_SIGNING_KEY"
        raise PermanentError(Problem(code="no-head", message="no head is signed yet", help=help))
    return _row(head)


@router.get("/chain/heads")
async def list_heads(books: TheBooks, caller: Viewer, limit: Limit = 100, cursor: Cursor = None) -> HeadPage:
    """Signed heads, the newest first."""
    before = None if cursor is None else int(parts_of(cursor, 1)[0])
    rows = await books.ask(kept_heads, before=before, limit=limit + 1)
    page, then = page_of(rows, limit, lambda head: (head.block,))
    return HeadPage(heads=[_row(head) for head in page], next=then)


@router.get("/chain/verify")
async def verify(
    books: TheBooks,
    caller: Viewer,
    from_block: Annotated[
        int | None, Query(ge=1, le=BLOCK_MAX, description="The first block; else the chain's beginning.")
    ] = None,
    seconds: Annotated[
        int, Query(ge=1, le=SECONDS_MAX, description="How long it may take, to some tenths of a second.")
    ] = 5,
    cursor: Cursor = None,
) -> VerifiedPart:
    """Recompute the chain over every field of every transfer, and name what is not as it was sealed; one at a time."""
    after = None if cursor is None else _after(cursor)
    async with books.verifying:
        deadline = time.monotonic() + seconds
        done, is_end = await books.ask(
            verify_part, from_block=from_block, after=after, is_over=lambda: time.monotonic() > deadline
        )
    return VerifiedPart(
        holds=done.findings.count == 0,
        first_block=done.first_block,
        last_block=done.last_block,
        last_hash=done.last_hash,
        blocks=done.blocks,
        transfers=done.transfers,
        findings_count=done.findings.count,
        findings=[
            FindingRow(kind=one.kind, block=one.block, transfer=one.transfer, message=one.message)
            for one in done.findings.first
        ],
        next=None if is_end else cursor_of(done.last_hash or "", done.last_block or 0),
    )


def _after(cursor: str) -> tuple[int, bytes]:
    """Raises PermanentError(`bad-cursor`)."""
    hash, number = parts_of(cursor, 2)
    try:
        found = bytes.fromhex(hash)
    except ValueError as error:
        raise bad_cursor() from error
    if len(found) != HASH_BYTES:
        raise bad_cursor()
    return int(number), found


def _row(head: LedgerHead) -> HeadRow:
    return HeadRow(**msgspec.to_builtins(head))
