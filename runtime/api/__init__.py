"""HTTP for people and their programs, as FastAPI: who asks, how refusals look, how long lists are paged.

What answers machines at speed stands in `runtime.http`. A service's `api/` holds one module per subject, and its
description is served as `/v1/openapi.json` and kept in docs/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Mount

from runtime.api.limit import LimitedBody
from runtime.api.problems import Handler, ProblemBody, error_handlers
from runtime.metrics import package_version

PREFIX: Final = "/v1"


def mounted(api: FastAPI) -> list[BaseRoute]:
    """The routes, wired. They take everything under `/v1`, so that others under it must come before."""
    return [Mount(PREFIX, api)]


def described_api(
    title: str,
    summary: str,
    routers: Iterable[APIRouter],
    *,
    statuses: Mapping[str, int],
    handlers: Mapping[type[Exception], Handler] | None = None,
    problem: type[ProblemBody] = ProblemBody,
    state: Mapping[str, Any] | None = None,
) -> FastAPI:
    """An application of routers; without `state` it can only be described.

    Args:
        title: Of the description.
        summary: Of the description.
        routers: One per subject; of two that would take a path, the first does.
        statuses: HTTP status by code of a PermanentError; 422 for all others.
        handlers: Of errors that say more than one problem.
        problem: How a refusal looks.
        state: What endpoints and `runtime.api.bearer` find in `request.app.state`.
    """
    api = FastAPI(
        title=title,
        version=package_version(),
        summary=summary,
        servers=[{"url": PREFIX}],
        # Their pages load scripts from elsewhere; the description itself is served.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=error_handlers(statuses, handlers or {}),
        responses={
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {"application/problem+json": {"schema": problem.model_json_schema()}},
            }
        },
    )
    api.add_middleware(LimitedBody)
    for name, value in (state or {}).items():
        setattr(api.state, name, value)
    for router in routers:
        api.include_router(router)
    return api
