"""HTTP of the rules service: who leads a contest. Operator's bearer key only.

GET /v1/contests/{programme}/{contest}?top=100    the contest and its first places, as they are or as they were fixed;
                                                  404 when the active revision holds no such contest
"""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem
from runtime.http import json_response, problem_response
from runtime.operator import operator_only
from services.rules.contests.read import read_standings

PLACES_MAX: Final = 10_000
PLACES_DEFAULT: Final = 100


def routes(*, postgres: str, admin_key: SecretStr | None) -> list[BaseRoute]:
    """The routes, wired."""

    async def standings(request: Request) -> Response:
        top = request.query_params.get("top", str(PLACES_DEFAULT))
        if not (top.isascii() and top.isdigit() and 1 <= int(top) <= PLACES_MAX):
            problem = Problem(code="invalid-parameter", message=f"top is a number from 1 to {PLACES_MAX}", where="top")
            return problem_response(problem, 422)
        programme, contest = request.path_params["programme"], request.path_params["contest"]
        return json_response(await read_standings(postgres, programme, contest, int(top)))

    guard = operator_only(admin_key, statuses={"unknown-contest": 404})
    return [Route("/v1/contests/{programme}/{contest}", guard(standings), methods=["GET"])]
