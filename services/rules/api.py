"""HTTP of the rules service: publish a rule set, list what was published. Operator's bearer key only.

POST /v1/rulesets?path=…&author=…    body: the YAML file; 201 new revision, 200 unchanged, 409 reaches back
                                     or gives a unit other decimals than before,
                                     413 too large, 422 with every error of the file, or with
                                     the results of its tests when one does not pass
GET  /v1/rulesets?programme=…        all revisions, without their text
"""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem
from runtime.bus.port import Bus
from runtime.clock import Clock
from runtime.http import json_response, problem_response
from runtime.operator import operator_only
from services.rules.language import RuleSetErrors
from services.rules.lifecycle import Desk, GateRefused, list_revisions, publish_rule_set
from services.rules.store import StateStore
from services.rules.testing import report_as_json

BODY_BYTES_MAX: Final = 1_000_000
"""A rule set travels in one record of the log, which takes no more."""
_STATUSES: Final = {"reaches-back": 409, "unit-decimals-differ": 409, "record-too-large": 413}


def routes(*, postgres: str, bus: Bus, store: StateStore, clock: Clock, admin_key: SecretStr | None) -> list[BaseRoute]:
    """The routes, wired."""

    async def publish(request: Request) -> Response:
        body = await _limited_body(request)
        if body is None:
            return problem_response(
                Problem(code="body-too-large", message=f"a rule set has at most {BODY_BYTES_MAX} bytes"), 413
            )
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            return problem_response(Problem(code="not-utf-8", message=f"the file is not UTF-8: {error}"), 422)
        path = request.query_params.get("path", "programme.yaml")
        author = request.query_params.get("author", "operator")
        try:
            desk = Desk(postgres=postgres, bus=bus, store=store, clock=clock)
            published = await publish_rule_set(desk, text, path, who=author)
        except RuleSetErrors as error:
            problem = Problem(code="rule-set-errors", message=f"{path} has {len(error.problems)} errors", where=path)
            return problem_response(problem, 422, problems=[located.problem for located in error.problems])
        except GateRefused as refused:
            status = _STATUSES.get(refused.problem.code, 422)
            tests = report_as_json(refused.tested)["tests"]
            return problem_response(refused.problem, status, problems=refused.problems, tests=tests)
        return json_response(published, 201 if published.is_new else 200)

    async def list_all(request: Request) -> Response:
        revisions = await list_revisions(postgres, request.query_params.get("programme"))
        return json_response({"revisions": [revision.as_json() for revision in revisions]})

    guard = operator_only(admin_key, statuses=_STATUSES)
    return [
        Route("/v1/rulesets", guard(publish), methods=["POST"]),
        Route("/v1/rulesets", guard(list_all), methods=["GET"]),
    ]


async def _limited_body(request: Request) -> bytes | None:
    """The body, or None as soon as it is over the limit."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)
