"""HTTP of the rules service: publish a rule set, list what was published. Operator's bearer key only.

POST /v1/rulesets?path=…&author=…    body: the YAML file; 201 new revision, 200 unchanged, 409 reaches back,
                                     413 too large, 422 with every error of the file
GET  /v1/rulesets?programme=…        all revisions, without their text
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import PermanentError, Problem, TransientError
from contracts.events import format_time, time_ms_of
from runtime.bus.port import Bus
from runtime.clock import Clock
from runtime.database import OUTAGES
from runtime.http import bearer_key, json_response, problem_response, same_secret
from services.rules.language import RuleSetErrors
from services.rules.publish import Revision, list_revisions, publish_rule_set
from services.rules.store import StateStore

BODY_BYTES_MAX: Final = 1_000_000
"""A rule set travels in one record of the log, which takes no more."""
RETRY_AFTER_S: Final = "5"
_STATUS: Final = {"reaches-back": 409, "record-too-large": 413}


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
            published = await publish_rule_set(
                text, path, postgres=postgres, bus=bus, store=store, clock=clock, author=author
            )
        except RuleSetErrors as error:
            problem = Problem(code="rule-set-errors", message=f"{path} has {len(error.problems)} errors", where=path)
            return problem_response(problem, 422, problems=[located.problem for located in error.problems])
        except PermanentError as error:
            return problem_response(error.problem, _STATUS.get(error.problem.code, 422))
        return json_response(published, 201 if published.is_new else 200)

    async def list_all(request: Request) -> Response:
        revisions = await list_revisions(postgres, request.query_params.get("programme"))
        return json_response({"revisions": [as_json(revision) for revision in revisions]})

    guard = _guard(admin_key)
    return [
        Route("/v1/rulesets", guard(publish), methods=["POST"]),
        Route("/v1/rulesets", guard(list_all), methods=["GET"]),
    ]


def as_json(revision: Revision) -> dict[str, Any]:
    """A revision for programs, without its text."""
    return {
        "programme": revision.programme,
        "revision": revision.revision,
        "digest": revision.digest,
        "path": revision.path,
        "effective_from": format_time(time_ms_of(revision.effective_from_at)),
        "published_at": format_time(time_ms_of(revision.published_at)),
        "author": revision.author,
        "state": revision.state,
    }


Endpoint = Callable[[Request], Awaitable[Response]]


def _guard(admin_key: SecretStr | None) -> Callable[[Endpoint], Endpoint]:
    """Ask for the operator's key, and answer an outage as one (503), not as a fault of ours."""

    def wrap(endpoint: Endpoint) -> Endpoint:
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
            except (TransientError, *OUTAGES) as error:
                problem = Problem(code="unavailable", message=f"a server is away: {error}", help="send it again")
                return problem_response(problem, 503, {"Retry-After": RETRY_AFTER_S})

        return guarded

    return wrap


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
