"""The playground over HTTP: a page that works offline, and what it asks.

GET  /playground, /playground/app.js, /playground/style.css    the page; loads nothing from anywhere else
GET  /v1/playground/samples                                    rule sets with events, to begin with
POST /v1/playground    {"rules": "…", "events": "…", "run": true}    200 with problems, tests, steps and partners;
                       413 too large, 422 not such a body, 503 while the service has no time for it

Stateless: nothing that is played is stored, and no live state is read. What asks for work needs a key of
an editor or approver, or the operator's, which `goodword rules playground` hands to the page behind the `#` of its
address, where no server sees it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem
from runtime.http import json_response, limited_body, problem_response
from runtime.operator import Guard
from services.rules.language import lint_text, problems_as_json
from services.rules.playground.play import RULES_PATH, play

BODY_BYTES_MAX: Final = 1_000_000
PLAY_S_MAX: Final = 5.0
WAITING_MAX: Final = 4
"""Questions that wait while one is answered; further ones are refused."""
RETRY_AFTER_S: Final = "2"
SAMPLES: Final = (
    ("first-programme", "Your first programme"),
    ("crm-pipeline", "Sales agents of a hardware vendor"),
)
_PAGE: Final = {
    "/playground": ("index.html", "text/html; charset=utf-8"),
    "/playground/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/playground/style.css": ("style.css", "text/css; charset=utf-8"),
}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends; without `run` the rules are only checked."""

    rules: str
    events: str = ""
    run: bool = True


_decoder: Final = msgspec.json.Decoder(_Asked)


def routes(*, guard: Guard, is_busy: Callable[[], bool]) -> list[BaseRoute]:
    """The routes, wired. `guard` says who may play, `is_busy` whether the service needs its processor for deciding."""
    turn = asyncio.Lock()
    waiting = 0

    async def answer(request: Request) -> Response:
        nonlocal waiting
        body = await limited_body(request, BODY_BYTES_MAX)
        if body is None:
            message = f"rules and events together have at most {BODY_BYTES_MAX:,} bytes"
            return problem_response(Problem(code="body-too-large", message=message), 413)
        try:
            asked = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problem = Problem(code="malformed-body", message=str(error), help='send {"rules": "…", "events": "…"}')
            return problem_response(problem, 422)
        if is_busy() or waiting >= WAITING_MAX:
            problem = Problem(
                code="overloaded",
                message="the rules service has no time for the playground now",
                help="try again in a moment, or play alone: goodword rules playground --alone",
            )
            return problem_response(problem, 503, {"Retry-After": RETRY_AFTER_S})
        waiting += 1
        try:
            async with turn:
                # In a thread: the service that this runs in goes on deciding meanwhile.
                return json_response(await asyncio.to_thread(_answer, asked))
        finally:
            waiting -= 1

    async def samples(request: Request) -> Response:
        return json_response({"samples": [_sample(name, title) for name, title in SAMPLES]})

    return [
        *(Route(path, _static(name, media_type)) for path, (name, media_type) in _PAGE.items()),
        Route("/v1/playground/samples", samples, methods=["GET"]),
        Route("/v1/playground", guard(answer), methods=["POST"]),
    ]


def _answer(asked: _Asked) -> dict[str, object]:
    if not asked.run:
        return {"problems": problems_as_json(lint_text(asked.rules, RULES_PATH))}
    deadline = time.monotonic() + PLAY_S_MAX
    return play(asked.rules, asked.events, is_over=lambda: time.monotonic() > deadline)


def _static(name: str, media_type: str) -> Callable[[Request], Response]:
    body = files("services.rules.playground").joinpath("static", name).read_bytes()

    def serve(request: Request) -> Response:
        return Response(body, headers=HEADERS, media_type=media_type)

    return serve


def _sample(name: str, title: str) -> dict[str, str]:
    folder = files("services.rules.playground").joinpath("samples")
    return {
        "name": name,
        "title": title,
        "rules": folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8"),
        "events": folder.joinpath(f"{name}.events").read_text(encoding="utf-8"),
    }
