"""`POST /v1/events`: one event, an array, a CloudEvents batch, or NDJSON.

202 once the log has what was accepted; 422 when nothing could be taken, 409 when all were conflicts, 403 when all lay
outside the key's scope; 400, 401, 408, 413, 415 for the request as a whole; 503 with `Retry-After` when a server is
away or too much is in hand: all of it may be sent again, nothing is counted twice.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from contracts.errors import Problem, TransientError
from contracts.events import EVENT_TYPES
from runtime import log
from runtime.http import bearer_key, json_response, problem_response
from runtime.metrics import Metrics
from runtime.tracing import accept_traceparent, trace_id
from services.tracking.api.body import Bodies, BodyRefused
from services.tracking.authenticate import Authenticator, Unauthenticated
from services.tracking.envelope import SHAPES, Malformed, Shape, TooMany
from services.tracking.handlers import CONFLICT, FrontDoor, Outcome
from services.tracking.keys import FORBIDDEN
from services.tracking.settings import TrackingSettings

logger = log.get(__name__)


class TakeEvents:
    """The operation, wired."""

    def __init__(
        self,
        settings: TrackingSettings,
        *,
        door: FrontDoor,
        authenticator: Authenticator,
        metrics: Metrics,
    ) -> None:
        self._door = door
        self._authenticator = authenticator
        self._bodies = Bodies(settings, metrics.gauge("inflight_bytes"))
        self._retry_after = {"Retry-After": str(settings.tracking_retry_after_s)}
        self._requests = metrics.counter("requests_total")
        self._seconds = metrics.histogram("request_duration_seconds")
        self._events = metrics.counter("events_total")
        self._dedupe_hits = metrics.counter("dedupe_hits_total")

    async def __call__(self, request: Request) -> Response:
        started = perf_counter()
        traceparent = accept_traceparent(request.headers.get("traceparent"))
        with structlog.contextvars.bound_contextvars(trace_id=trace_id(traceparent)):
            response = await self._answer(request, traceparent)
        self._requests.labels(str(response.status_code)).inc()
        self._seconds.observe(perf_counter() - started)
        response.headers["traceparent"] = traceparent
        return response

    async def _answer(self, request: Request, traceparent: str) -> Response:
        try:
            grant = await self._authenticator.grant(bearer_key(request))
            shape = _shape(request)
            body = await self._bodies.read(request)
            try:
                outcome = await self._door.take(body, shape, grant, traceparent)
            finally:
                self._bodies.release(body)
        except Unauthenticated as error:
            return _refusal(error.problem, 401, {"WWW-Authenticate": "Bearer"})
        except BodyRefused as error:
            return _refusal(error.problem, error.status, self._retry_after if error.status == 503 else None)
        except TooMany as error:
            return _refusal(error.problem, 413)
        except Malformed as error:
            return _refusal(error.problem, 400)
        except TransientError as error:
            logger.warning("events not taken", reason=str(error))
            problem = Problem(
                code="unavailable",
                message="the log or a database is away",
                help="wait, and send the same again: what was taken is not taken twice",
            )
            return _refusal(problem, 503, self._retry_after)
        except ClientDisconnect:
            return _refusal(Problem(code="sender-gone", message="the body ended before its end"), 400)
        self._count(outcome)
        return _answer_of(outcome)

    def _count(self, outcome: Outcome) -> None:
        for (type, what), count in outcome.types.items():
            self._events.labels(type if type in EVENT_TYPES else "unknown", what).inc(count)
        if outcome.duplicates:
            self._dedupe_hits.inc(outcome.duplicates)
        logger.info(
            "events taken",
            accepted=outcome.accepted,
            duplicates=outcome.duplicates,
            rejected=len(outcome.rejections),
            unattributed=outcome.unattributed,
        )


def _shape(request: Request) -> Shape:
    content_type, _, parameters = request.headers.get("content-type", "").partition(";")
    shape = SHAPES.get(content_type.strip().lower())
    charset = parameters.lower().replace(" ", "").replace('"', "").partition("charset=")[2].partition(";")[0]
    if shape is None or charset not in ("", "utf-8", "utf8", "us-ascii"):
        problem = Problem(
            code="wrong-content-type",
            message=f'"{request.headers.get("content-type", "")[:100]}" is not taken here',
            help=f"one of {', '.join(SHAPES)}, in UTF-8",
        )
        raise BodyRefused(415, problem)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        problem = Problem(code="wrong-content-encoding", message="a compressed body is not taken", help="send it plain")
        raise BodyRefused(415, problem)
    if "ce-specversion" in request.headers:
        problem = Problem(
            code="binary-mode",
            message="CloudEvents in binary mode are not taken",
            help="send the whole event as application/cloudevents+json",
        )
        raise BodyRefused(415, problem)
    return shape


def _refusal(problem: Problem, status: int, headers: dict[str, str] | None = None) -> Response:
    """A problem with the counts in it: nothing of the request was taken."""
    return problem_response(problem, status, headers, accepted=0, duplicates=0, rejected=[])


def _answer_of(outcome: Outcome) -> Response:
    counts: dict[str, Any] = {
        "accepted": outcome.accepted,
        "duplicates": outcome.duplicates,
        "rejected": outcome.rejections,
    }
    if outcome.unattributed:
        counts["unattributed"] = outcome.unattributed
    if outcome.accepted or outcome.duplicates:
        return json_response(counts, 202)
    if not outcome.rejections:
        problem = Problem(code="no-events", message="there is no event in the request", help="send at least one")
        return problem_response(problem, 422, **counts)
    codes = {rejection.code for rejection in outcome.rejections}
    if codes == {CONFLICT}:
        problem = Problem(code="all-conflicts", message="every id was used before, with another body")
        return problem_response(problem, 409, **counts)
    if codes <= FORBIDDEN:
        problem = Problem(code="outside-scope", message="this key may not send any of these events")
        return problem_response(problem, 403, **counts)
    problem = Problem(
        code="none-acceptable", message="none of the events could be taken", help="`rejected` says why, one by one"
    )
    return problem_response(problem, 422, **counts)
