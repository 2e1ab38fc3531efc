"""What the rules refuse: the status of each code, and the answers that say more than one problem."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from contracts.errors import Problem
from runtime.api import problems
from runtime.http import problem_response
from services.rules.language import RuleSetErrors
from services.rules.lifecycle import GateRefused
from services.rules.testing import report_as_json

STATUSES: Final = {
    "own-draft": 403,
    "own-restatement": 403,
    "unknown-contest": 404,
    "unknown-event": 404,
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
    "record-too-large": 413,
}
"""Status by code; 422 for all others."""


class ProblemBody(problems.ProblemBody):
    """A problem; for a refusal of the gate with all reasons, and the results of the file's tests."""

    tests: list[dict[str, Any]] | None = None


async def _gate(_: Request, error: GateRefused) -> Response:
    status = STATUSES.get(error.problem.code, 422)
    tests = report_as_json(error.tested)["tests"]
    return problem_response(error.problem, status, problems=error.problems, tests=tests)


async def _rule_set(_: Request, error: RuleSetErrors) -> Response:
    problems = [located.problem for located in error.problems]
    problem = Problem(
        code="rule-set-errors", message=f"the rule set has {len(problems)} errors", where=problems[0].where
    )
    return problem_response(problem, 422, problems=problems)


HANDLERS: Final[dict[type[Exception], problems.Handler]] = {GateRefused: _gate, RuleSetErrors: _rule_set}
