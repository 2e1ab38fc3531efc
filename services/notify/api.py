"""HTTP of the notify service, with the operator's bearer key.

GET /v1/mails?outcome=unknown&limit=50   the newest mails: `{"mails": […]}`, 422 for an outcome that does not exist
GET /v1/mails/counts                     how many there are by outcome
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem
from runtime.database import OUTAGES
from runtime.http import bearer_key, json_response, problem_response, same_secret
from services.notify import reads

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(*, postgres: str, admin_key: SecretStr | None) -> list[BaseRoute]:
    """The routes, wired."""

    async def list_mails(request: Request) -> Response:
        outcome = request.query_params.get("outcome")
        try:
            limit = int(request.query_params.get("limit", "50"))
            found = await asyncio.to_thread(reads.mails, postgres, outcome=outcome, limit=limit)
        except ValueError as error:
            return problem_response(Problem(code="bad-query", message=str(error), where="query"), 422)
        return json_response({"mails": found})

    async def count_mails(request: Request) -> Response:
        return json_response(await asyncio.to_thread(reads.counts, postgres))

    def guard(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if admin_key is None or not same_secret(bearer_key(request), admin_key.get_secret_value()):
                problem = Problem(
                    code="key-refused",
                    message="this needs the operator's key",
                    help="send it as Authorization: Bearer …; the service takes it from GOODWORD_ADMIN_KEY",
                )
                return problem_response(problem, 401, {"WWW-Authenticate": "Bearer"})
            try:
                return await endpoint(request)
            except OUTAGES as error:
                problem = Problem(code="unavailable", message=f"PostgreSQL is away: {error}", help="send it again")
                return problem_response(problem, 503, {"Retry-After": "5"})

        return guarded

    return [Route("/v1/mails", guard(list_mails)), Route("/v1/mails/counts", guard(count_mails))]
