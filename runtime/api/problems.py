"""Whatever goes wrong is answered in one way: `application/problem+json` (RFC 9457), with a stable code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from contracts.errors import ManyProblems, PermanentError, Problem, TransientError
from runtime.api.bearer import Unauthenticated
from runtime.database import OUTAGES
from runtime.http import http_problem, internal_problem, problem_response
from runtime.operator import RETRY_AFTER_S

Handler = Callable[[Request, Any], Any]

STATUSES: Final = {"role-missing": 403, "body-too-large": 413}
"""Of codes that every service has."""


class ProblemBody(BaseModel):
    """A problem; where a request has several faults, with all of them."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    where: str | None = None
    detail: str | None = None
    problems: list[dict[str, str]] | None = None


def permanent_problem(error: PermanentError, statuses: Mapping[str, int]) -> Response:
    """The answer to a mistake in what was asked; 422 unless `statuses` knows better."""
    status = statuses.get(error.problem.code) or STATUSES.get(error.problem.code, 422)
    if isinstance(error, ManyProblems):
        return problem_response(error.problem, status, problems=error.problems)
    return problem_response(error.problem, status)


def error_handlers(
    statuses: Mapping[str, int], more: Mapping[type[Exception], Handler]
) -> dict[int | type[Exception], Handler]:
    """All that an application catches: what it adds, and what every one has."""

    async def permanent(_: Request, error: PermanentError) -> Response:
        return permanent_problem(error, statuses)

    handlers: dict[int | type[Exception], Handler] = {
        Unauthenticated: _unauthenticated,
        PermanentError: permanent,
        RequestValidationError: _malformed,
        TransientError: _outage,
        # A table that is missing: the service that makes it has not started yet.
        **dict.fromkeys((*OUTAGES, psycopg.errors.UndefinedTable), _outage),
        HTTPException: http_problem,
        Exception: internal_problem,
    }
    handlers.update(more.items())
    return handlers


async def _unauthenticated(_: Request, error: Unauthenticated) -> Response:
    return problem_response(error.problem, 401, {"WWW-Authenticate": "Bearer"})


async def _malformed(_: Request, error: RequestValidationError) -> Response:
    problems = [
        Problem(code="bad-request", message=str(each["msg"]), where=".".join(str(part) for part in each["loc"]))
        for each in error.errors()
    ]
    return problem_response(problems[0], 422, problems=problems)


async def _outage(_: Request, error: Exception) -> Response:
    problem = Problem(code="unavailable", message=f"a server is away: {error}", help="ask again")
    return problem_response(problem, 503, {"Retry-After": RETRY_AFTER_S})
