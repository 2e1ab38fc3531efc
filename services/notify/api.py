"""HTTP of the notify service, with the operator's bearer key.

GET /v1/mails?outcome=unknown&limit=50   the newest mails: `{"mails": […]}`, 422 for an outcome that does not exist
GET /v1/mails/counts                     how many there are by outcome
"""

from __future__ import annotations

import asyncio

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem
from runtime.http import json_response, problem_response
from runtime.operator import operator_only
from services.notify import reads


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

    guard = operator_only(admin_key)
    return [Route("/v1/mails", guard(list_mails)), Route("/v1/mails/counts", guard(count_mails))]
