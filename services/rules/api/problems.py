"""Whatever goes wrong is answered in one way: `application/problem+json` (RFC 9457), with a stable code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import psycopg
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from contracts.errors import PermanentError, Problem, TransientError
from runtime.database import OUTAGES
from runtime.http import http_problem, internal_problem, problem_response
from runtime.operator import RETRY_AFTER_S
from services.rules.api.bearer import Unauthenticated
from services.rules.language import RuleSetErrors
from services.rules.lifecycle import GateRefused
from services.rules.testing import report_as_json

STATUSES: Final = {
    "role-missing": 403,
    "own-draft": 403,
    "own-restatement": 403,
    "unknown-revision": 404,
    "unknown-restatement": 404,
    "no-shadow": 404,
    "shadow-running": 409,
    "nothing-active": 409,
    "already-in-force": 409,
    "not-now": 409,
    "stale-draft": 409,
    "stale-restatement": 409,
    "reaches-back": 409,
    "unit-decimals-differ": 409,
    "canary-running": 409,
    "canary-without-base": 409,
    "no-canary": 409,
    "nothing-to-roll-back-to": 409,
    "approval-missing": 409,
    "backtest-missing": 409,
    "body-too-large": 413,
    "record-too-large": 413,
}
"""Status by code; 422 for all others."""


class ProblemBody(BaseModel):
    """A problem; for a refusal of the gate with all reasons, and the results of the file's tests."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    where: str | None = None
    detail: str | None = None
    problems: list[dict[str, str]] | None = None
    tests: list[dict[str, Any]] | None = None


async def _permanent(_: Request, error: Exception) -> Response:
    assert isinstance(error, PermanentError)
    return problem_response(error.problem, STATUSES.get(error.problem.code, 422))


async def _unauthenticated(_: Request, error: Exception) -> Response:
    assert isinstance(error, Unauthenticated)
    return problem_response(error.problem, 401, {"WWW-Authenticate": "Bearer"})


async def _gate(_: Request, error: Exception) -> Response:
    assert isinstance(error, GateRefused)
    status = STATUSES.get(error.problem.code, 422)
    tests = report_as_json(error.tested)["tests"]
    return problem_response(error.problem, status, problems=error.problems, tests=tests)


async def _rule_set(_: Request, error: Exception) -> Response:
    assert isinstance(error, RuleSetErrors)
    problems = [located.problem for located in error.problems]
    problem = Problem(
        code="rule-set-errors", message=f"the rule set has {len(problems)} errors", where=problems[0].where
    )
    return problem_response(problem, 422, problems=problems)


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        Problem(code="bad-request", message=str(each["msg"]), where=".".join(str(part) for part in each["loc"]))
        for each in error.errors()
    ]
    return problem_response(problems[0], 422, problems=problems)


async def _outage(_: Request, error: Exception) -> Response:
    problem = Problem(code="unavailable", message=f"a server is away: {error}", help="ask again")
    return problem_response(problem, 503, {"Retry-After": RETRY_AFTER_S})


ERRORS: Final[dict[int | type[Exception], Callable[[Request, Any], Any]]] = {
    Unauthenticated: _unauthenticated,
    GateRefused: _gate,
    PermanentError: _permanent,
    RuleSetErrors: _rule_set,
    RequestValidationError: _malformed,
    TransientError: _outage,
    **dict.fromkeys((*OUTAGES, psycopg.errors.UndefinedTable), _outage),
    HTTPException: http_problem,
    Exception: internal_problem,
}
