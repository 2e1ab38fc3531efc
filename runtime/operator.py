"""Routes for the operator alone: the bearer key is asked for, and what the endpoint raises is answered in one way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from contracts.errors import PermanentError, Problem, TransientError
from runtime.database import OUTAGES
from runtime.http import bearer_key, problem_response, same_secret

RETRY_AFTER_S: Final = "5"

Endpoint = Callable[[Request], Awaitable[Response]]


Guard = Callable[[Endpoint], Endpoint]
"""Lets an endpoint be called only by some."""
REFUSED: Final = "key-refused"
"""The code of the problem with which a key is refused: 401."""


def operator_only(admin_key: SecretStr | None, *, statuses: Mapping[str, int] | None = None) -> Guard:
    """A wrapper for endpoints: 401 without the operator's key (always, when none is set), 503 in an outage.

    Args:
        admin_key: GOODWORD_ADMIN_KEY.
        statuses: Status by code of a PermanentError; 422 for all others.
    """

    async def check(request: Request) -> None:
        if admin_key is None or not same_secret(bearer_key(request), admin_key.get_secret_value()):
            raise PermanentError(
                Problem(
                    code=REFUSED,
                    message="this needs the operator's key",
                    help="send it as Authorization: Bearer …; the service takes it from GOODWORD_ADMIN_KEY",
                )
            )

    return guarded_by(check, statuses=statuses)


def guarded_by(check: Callable[[Request], Awaitable[object]], *, statuses: Mapping[str, int] | None = None) -> Guard:
    """A wrapper for endpoints: 401 when `check` raises a PermanentError(`key-refused`), 503 in an outage."""
    by_code = {REFUSED: 401, **(statuses or {})}

    def wrap(endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            try:
                await check(request)
                return await endpoint(request)
            except PermanentError as error:
                status = by_code.get(error.problem.code, 422)
                return problem_response(
                    error.problem, status, {"WWW-Authenticate": "Bearer"} if status == 401 else None
                )
            except (TransientError, *OUTAGES) as error:
                problem = Problem(code="unavailable", message=f"a server is away: {error}", help="ask again")
                return problem_response(problem, 503, {"Retry-After": RETRY_AFTER_S})

        return guarded

    return wrap
