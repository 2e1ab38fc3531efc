"""Why an event earned what it earned, or nothing. Whoever has a key of the rules may ask."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from contracts.errors import PermanentError, Problem
from services.rules.api.bearer import Reader
from services.rules.explaining.explain import explain
from services.rules.lifecycle import Desk

EXPLAINED_AT_ONCE_MAX: Final = 2
"""Questions answered at once; further ones wait, so that deciding keeps most of the processor."""

router = APIRouter()


class ExplanationsBody(BaseModel):
    """One for each partner the event went to, with all fields of `services/rules/explaining/told.py`."""

    explanations: list[dict[str, Any]]


class Explainer:
    """Puts questions to what is kept, few at a time."""

    def __init__(self, desk: Desk, *, events_max: int) -> None:
        self._desk = desk
        self._events_max = events_max
        self._turn = asyncio.Semaphore(EXPLAINED_AT_ONCE_MAX)

    async def __call__(self, reference: str, source: str | None, partner: str | None, programme: str | None) -> Any:
        desk = self._desk
        async with self._turn:
            return await explain(
                reference,
                postgres=desk.postgres,
                bus=desk.bus,
                store=desk.store,
                source=source,
                partner=partner,
                programme=programme,
                events_max=self._events_max,
            )


async def _explainer(request: Request) -> Explainer:
    explainer: Explainer = request.app.state.explainer
    return explainer


@router.get("/explain")
async def explain_event(
    explainer: Annotated[Explainer, Depends(_explainer)],
    caller: Reader,
    event: Annotated[str | None, Query(description="Its id, or source/id.")] = None,
    source: Annotated[str | None, Query(description="The sender, where the event is an id alone.")] = None,
    partner: Annotated[str | None, Query(description="Only this one's.")] = None,
    programme: Annotated[str | None, Query(description="Only this one's.")] = None,
) -> ExplanationsBody:
    """Why: every condition of every rule that was asked, with what it saw, and the events behind each number."""
    if event is None:
        raise PermanentError(
            Problem(code="bad-reference", message="which event?", where="event", help="ask ?event=ID, or source/id")
        )
    told = await explainer(event, source, partner, programme)
    return ExplanationsBody(explanations=msgspec.to_builtins(told))
