"""HTTP that all services share: problems (RFC 9457), health, readiness, metrics, bearer keys."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem
from runtime.metrics import Metrics, package_version

Check = Callable[[], Awaitable[None]]
CHECK_SECONDS_MAX: Final = 3.0
_encode = msgspec.json.encode


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(body), status, headers=headers, media_type="application/json")


def problem_response(problem: Problem, status: int, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """A problem as `application/problem+json`; `more` are extension members (RFC 9457, section 3.2)."""
    body = {"type": f"about:goodword/{problem.code}", "title": problem.message, "status": status, "code": problem.code}
    if problem.where:
        body["where"] = problem.where
    if problem.help:
        body["detail"] = problem.help
    return Response(_encode(body | more), status, headers=headers, media_type="application/problem+json")


async def limited_body(request: Request, bytes_max: int) -> bytes | None:
    """The body, or None as soon as it is over the limit, or when the sender has gone."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > bytes_max:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def bearer_key(request: Request) -> str:
    """The key of `Authorization: Bearer …` (RFC 6750, section 2.1); empty when there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def same_secret(given: str, expected: str) -> bool:
    """Compare without telling by time how much was right."""
    return hmac.compare_digest(given.encode(), expected.encode())


async def http_problem(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses (404, 405, …), as a problem like all others."""
    assert isinstance(error, HTTPException)
    problem = Problem(
        code=error.detail.lower().replace(" ", "-"), message=error.detail, where=f"{request.method} {request.url.path}"
    )
    return problem_response(problem, error.status_code, error.headers)


async def internal_problem(request: Request, error: Exception) -> Response:
    """A fault of ours. The log has it; the sender learns no more than that."""
    return problem_response(Problem(code="internal-error", message="this is a fault of ours; it is logged"), 500)


def health_routes(
    name: str, checks: Mapping[str, Check], metrics: Metrics, state: Callable[[], str]
) -> list[BaseRoute]:
    """`/healthz` (the process lives), `/readyz` (everything it needs answers now), `/metrics`.

    `state` is `ok` when the service has started and is not stopping, else what it is doing.
    """

    async def healthz(request: Request) -> Response:
        return json_response({"service": name, "version": package_version(), "status": "alive"})

    async def readyz(request: Request) -> Response:
        outcomes = await asyncio.gather(*(_run(check) for check in checks.values()))
        results = {"started": state()} | dict(zip(checks, outcomes, strict=True))
        ready = all(outcome == "ok" for outcome in results.values())
        body = {
            "service": name,
            "version": package_version(),
            "status": "ready" if ready else "not ready",
            "checks": results,
        }
        return json_response(body, 200 if ready else 503)

    async def exposition(request: Request) -> Response:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposition)]


async def _run(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever a client library raises means: not ready
        return f"{type(error).__name__}: {error}"[:300] or "failed"
    return "ok"
