"""`POST /v1/links`: make a link for a partner. Operator's key only.

201 with the link; 200 when the very same link exists; 409 when the code leads elsewhere; 422 when it cannot be one.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts.errors import Problem
from runtime.http import json_response, problem_response
from services.tracking.api.body import BodyRefused
from services.tracking.links import CODE_ALPHABET, CODE_LENGTH, Link, problem_of
from services.tracking.store import TrackingStore

BODY_BYTES_MAX: Final = 16 * 1024


class NewLink(BaseModel):
    """What a link needs; without a code, it gets a random one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    programme: str
    partner: str
    target: str
    code: str | None = None
    channel: str | None = None
    campaign: str | None = None


class CreateLink:
    """The operation, wired."""

    def __init__(self, store: TrackingStore) -> None:
        self._store = store

    async def __call__(self, request: Request) -> Response:
        body = await _small_body(request)
        try:
            asked = NewLink.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return problem_response(Problem(code="bad-link", message=first["msg"], where=where), 422)
        link = Link(**(asked.model_dump() | {"code": asked.code or _new_code()}))
        if problem := problem_of(link):
            return problem_response(problem, 422)
        is_known = link.code in await self._store.links([link.code])
        stored = await self._store.create_link(link)
        if stored != link:
            problem = Problem(
                code="code-taken",
                message=f'the code "{link.code}" leads elsewhere',
                where="code",
                help="choose another",
            )
            return problem_response(problem, 409)
        return json_response(as_json(stored, request), 200 if is_known else 201)


def as_json(link: Link, request: Request) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(link)
    return plain | {"url": str(request.url.replace(path=f"/r/{link.code}", query="", fragment=""))}


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BodyRefused(
                413, Problem(code="body-too-large", message=f"a link has at most {BODY_BYTES_MAX:,} bytes")
            )
    return bytes(body)


def _new_code() -> str:
    """31^8 of them, so that guessing finds nothing."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
