"""HTTP of the rules service for those who work on rule sets: drafts, tests, approvals, publications, the audit log.

One module per kind of question; `/v1/openapi.json` describes them all, and so does docs/rules-api.json.
Every step is the one that the command line takes (`services.rules.lifecycle`); here is only who asks, and as what.
"""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import BaseRoute, Mount

from runtime.metrics import package_version
from services.rules.api import history, programmes, restatements, revisions, shadow, steps
from services.rules.api.bearer import Bearer
from services.rules.api.limit import LimitedBody
from services.rules.api.problems import ERRORS, ProblemBody
from services.rules.lifecycle import Desk

PREFIX = "/v1"


def routes(desk: Desk, *, admin_key: SecretStr | None) -> list[BaseRoute]:
    """The routes, wired. They take everything under `/v1`, so that others under it must come before."""
    return [Mount(PREFIX, build_api(desk, admin_key=admin_key))]


def build_api(desk: Desk | None, *, admin_key: SecretStr | None = None) -> FastAPI:
    """The application; without a desk it can only be described."""
    api = FastAPI(
        title="Goodword rules",
        version=package_version(),
        summary="Rule sets from draft to superseded.",
        servers=[{"url": PREFIX}],
        # Their pages load scripts from elsewhere; the description itself is served.
        docs_url=None,
        redoc_url=None,
        exception_handlers=ERRORS,
        responses={
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {"application/problem+json": {"schema": ProblemBody.model_json_schema()}},
            }
        },
    )
    api.add_middleware(LimitedBody)
    if desk is not None:
        api.state.desk = desk
        api.state.bearer = Bearer(desk.postgres, admin_key)
    for module in (programmes, revisions, steps, restatements, shadow, history):
        api.include_router(module.router)
    return api
