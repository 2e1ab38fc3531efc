"""HTTP of the rules service for those who work on rule sets: drafts, tests, approvals, publications, the audit log.

One module per kind of question; `/v1/openapi.json` describes them all, and so does docs/rules-api.json.
Every step is the one that the command line takes (`services.rules.lifecycle`); here is only who asks, and as what.
"""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import BaseRoute

from runtime.api import described_api, mounted
from services.rules.api import contests, explain, history, programmes, restatements, revisions, shadow, steps
from services.rules.api.bearer import bearer_of
from services.rules.api.explain import Explainer
from services.rules.api.problems import HANDLERS, STATUSES, ProblemBody
from services.rules.explaining.explain import EVENTS_MAX
from services.rules.lifecycle import Desk

_SUBJECTS = (programmes, revisions, steps, restatements, shadow, history, contests, explain)


def routes(desk: Desk, *, admin_key: SecretStr | None, explain_events_max: int = EVENTS_MAX) -> list[BaseRoute]:
    """The routes, wired. They take everything under `/v1`, so that others under it must come before."""
    return mounted(build_api(desk, admin_key=admin_key, explain_events_max=explain_events_max))


def build_api(
    desk: Desk | None, *, admin_key: SecretStr | None = None, explain_events_max: int = EVENTS_MAX
) -> FastAPI:
    """The application; without a desk it can only be described."""
    state = {}
    if desk is not None:
        explainer = Explainer(desk, events_max=explain_events_max)
        state = {"desk": desk, "bearer": bearer_of(desk.postgres, admin_key), "explainer": explainer}
    return described_api(
        "Goodword rules",
        "Rule sets from draft to superseded; what was decided, and why.",
        [module.router for module in _SUBJECTS],
        statuses=STATUSES,
        handlers=HANDLERS,
        problem=ProblemBody,
        state=state,
    )
