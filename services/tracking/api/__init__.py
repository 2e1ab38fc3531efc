"""HTTP of the front door: one module per operation.

POST /v1/events     take events                       a key whose scope fits (take_events)
GET  /r/{code}      to a link's target                everybody (follow_link)
POST /v1/links      make a link                       the operator (create_link)
GET  /v1/partners   partners with their profiles      the operator (list_partners)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from contracts.errors import Problem, TransientError
from runtime.clock import Clock
from runtime.http import bearer_key, problem_response
from runtime.metrics import Metrics
from services.tracking.api.body import BodyRefused
from services.tracking.api.create_link import CreateLink
from services.tracking.api.follow_link import FollowLink
from services.tracking.api.list_partners import ListPartners
from services.tracking.api.take_events import TakeEvents
from services.tracking.authenticate import Authenticator, Unauthenticated
from services.tracking.handlers import FrontDoor
from services.tracking.relay import ClickRelay
from services.tracking.settings import TrackingSettings
from services.tracking.store import TrackingStore

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(
    settings: TrackingSettings,
    *,
    door: FrontDoor,
    store: TrackingStore,
    authenticator: Authenticator,
    relay: ClickRelay,
    metrics: Metrics,
    clock: Clock,
) -> list[BaseRoute]:
    """The routes, wired."""
    take = TakeEvents(settings, door=door, authenticator=authenticator, metrics=metrics)
    follow = FollowLink(settings, door=door, store=store, relay=relay, metrics=metrics, clock=clock)

    def for_operator(operation: Endpoint) -> Endpoint:
        return _for_operator(operation, authenticator, str(settings.tracking_retry_after_s))

    # Starlette takes an object for an ASGI application, a function for an endpoint: hence the bound methods.
    return [
        Route("/v1/events", take.__call__, methods=["POST"]),
        Route("/r/{code}", follow.__call__, methods=["GET"]),
        Route("/v1/links", for_operator(CreateLink(store)), methods=["POST"]),
        Route("/v1/partners", for_operator(ListPartners(store)), methods=["GET"]),
    ]


def _for_operator(operation: Endpoint, authenticator: Authenticator, retry_after: str) -> Endpoint:
    """Ask for the operator's key, and answer an outage as one, not as a fault of ours."""

    async def guarded(request: Request) -> Response:
        try:
            grant = await authenticator.grant(bearer_key(request))
            if not grant.is_operator:
                return problem_response(Problem(code="operator-only", message="this needs the operator's key"), 403)
            return await operation(request)
        except Unauthenticated as error:
            return problem_response(error.problem, 401, {"WWW-Authenticate": "Bearer"})
        except BodyRefused as error:
            return problem_response(error.problem, error.status)
        except TransientError:
            problem = Problem(code="unavailable", message="a database is away", help="send it again")
            return problem_response(problem, 503, {"Retry-After": retry_after})
        except ClientDisconnect:
            return problem_response(Problem(code="sender-gone", message="the body ended before its end"), 400)

    return guarded
