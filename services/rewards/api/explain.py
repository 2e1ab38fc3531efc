"""Why a cent is there, and why not."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from contracts.errors import PermanentError, Problem
from services.rewards.api.books import TheBooks, Viewer
from services.rewards.reads import Explanation, explain

router = APIRouter()


@router.get("/explain/{reference:path}")
async def explain_reference(
    books: TheBooks,
    caller: Viewer,
    reference: Annotated[
        str, Path(max_length=1_024, description="Id of a transfer, decision or event; also source/id.")
    ],
) -> Explanation:
    """Everything that was decided and posted about it, down to each condition, granted and denied alike."""
    found = None if "\0" in reference else await books.ask(explain, reference)
    if found is None:
        raise PermanentError(
            Problem(
                code="nothing-known",
                message=f"the ledger knows no transfer, decision or event {reference}",
                help="an event is named by source/id; one that was just sent may take a moment",
            )
        )
    return found
