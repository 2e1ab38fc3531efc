"""What no endpoint wants to see: a request that is too large is refused, before it is read where it says so, else as
soon as it is; and so is a NUL in its path or query, which no database would take.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import Problem
from runtime.http import problem_response

REQUEST_BYTES_MAX: Final = 2_000_000
"""A rule file says more about itself when it is too large; this is for everything else that never ends."""


class LimitedBody:
    """Middleware; the framework's own limit would not answer with a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _said(scope) > REQUEST_BYTES_MAX:
            problem = Problem(code="body-too-large", message=f"a request has at most {REQUEST_BYTES_MAX} bytes")
            await problem_response(problem, 413)(scope, receive, send)
        elif "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
            problem = Problem(
                code="bad-request", message="a path or a query holds no NUL", where="path", help="leave the NUL out"
            )
            await problem_response(problem, 422)(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > REQUEST_BYTES_MAX:
            raise HTTPException(413, "Body Too Large")
        return message

    return counting


def _said(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
