"""HTTP of explanations: why an event earned what it earned, or nothing. Whoever has a key of the rules may ask.

GET /v1/explain?event=…&source=…&partner=…&programme=…    200 {"explanations": […]}, one for each partner it went to;
                                                          404 unknown-event, 422 bad-reference or history-too-long
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import PermanentError, Problem
from runtime.bus.port import Bus
from runtime.http import json_response
from runtime.operator import Guard
from services.rules.explaining.explain import explain
from services.rules.store import StateStore

EXPLAINED_AT_ONCE_MAX: Final = 2
"""Questions answered at once; further ones wait, so that deciding keeps most of the processor."""
STATUSES: Final = {"unknown-event": 404}


def routes(*, postgres: str, bus: Bus, store: StateStore, guard: Guard, events_max: int) -> list[BaseRoute]:
    """The routes, wired. `guard` answers with STATUSES."""
    turn = asyncio.Semaphore(EXPLAINED_AT_ONCE_MAX)

    async def get_explanation(request: Request) -> Response:
        query = request.query_params
        reference = query.get("event")
        if reference is None:
            raise PermanentError(
                Problem(code="bad-reference", message="which event?", where="event", help="ask ?event=ID, or source/id")
            )
        async with turn:
            told = await explain(
                reference,
                postgres=postgres,
                bus=bus,
                store=store,
                source=query.get("source"),
                partner=query.get("partner"),
                programme=query.get("programme"),
                events_max=events_max,
            )
        return json_response({"explanations": told})

    return [Route("/v1/explain", guard(get_explanation), methods=["GET"])]
