"""`GET /r/{code}`: to the link's stored target, with a signed click id in the cookie and in the address.

The target is only ever the stored one. The click goes to the log behind the visitor's back (`relay`), cut to what does
not name a person (`visitors`); HEAD, which previews send, records nothing.
"""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import Response

from contracts.errors import Problem, TransientError
from contracts.events import EventData, encode_data, event_headers
from contracts.events import Link as ClickedLink
from runtime.bus.port import Record
from runtime.clock import Clock
from runtime.http import problem_response
from runtime.metrics import Metrics
from runtime.tracing import accept_traceparent
from services.tracking.clicks import CLICK_PARAMETER, NONCE_BYTES, click_name, sign, with_click
from services.tracking.handlers import FrontDoor
from services.tracking.keys import TRACKING_SOURCE
from services.tracking.links import Link, is_code, landing_page
from services.tracking.plan import CLICK_RECORDED
from services.tracking.relay import ClickRelay
from services.tracking.settings import DAY_S, TrackingSettings
from services.tracking.store import TrackingStore
from services.tracking.visitors import ip_prefix, user_agent_class


class FollowLink:
    """The operation, wired."""

    def __init__(
        self,
        settings: TrackingSettings,
        *,
        door: FrontDoor,
        store: TrackingStore,
        relay: ClickRelay,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._door = door
        self._store = store
        self._relay = relay
        self._clicks = metrics.counter("clicks_total")
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        code = request.path_params["code"]
        try:
            link = (await self._store.links([code])).get(code) if is_code(code) else None
        except TransientError:
            problem = Problem(code="unavailable", message="links cannot be looked up now", help="try again")
            return problem_response(problem, 503, {"Retry-After": str(self._settings.tracking_retry_after_s)})
        if link is None:
            self._clicks.labels("unknown").inc()
            return problem_response(Problem(code="unknown-link", message="there is no such link"), 404)
        if not self._door.click_secrets:
            problem = Problem(code="starting", message="the service is starting", help="try again")
            return problem_response(problem, 503, {"Retry-After": str(self._settings.tracking_retry_after_s)})
        now_ms = self._clock.now_ms()
        name = click_name(code, now_ms, secrets.token_bytes(NONCE_BYTES))
        click_id = sign(self._door.click_secrets[0], name)
        if request.method == "GET":
            self._relay.put(_record(link, name, now_ms, request))
        response = Response(
            status_code=302,
            headers={
                "Location": with_click(link.target, click_id),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
            },
        )
        response.set_cookie(
            CLICK_PARAMETER,
            click_id,
            max_age=self._settings.tracking_click_days_max * DAY_S,
            path="/",
            secure=self._settings.tracking_cookie_secure,
            httponly=True,
            samesite="lax",
        )
        return response


def _record(link: Link, name: str, now_ms: int, request: Request) -> Record:
    data = EventData(
        programme=link.programme,
        partner=link.partner,
        link=ClickedLink(
            code=link.code,
            channel=link.channel,
            campaign=link.campaign,
            landing_page=landing_page(link.target),
            ip_prefix=ip_prefix(request.client.host) if request.client else None,
            user_agent_class=user_agent_class(request.headers.get("user-agent", "")),
        ),
        attribution="code",
    )
    headers = event_headers(
        type=CLICK_RECORDED,
        source=TRACKING_SOURCE,
        id=name,
        time_ms=now_ms,
        recorded_at_ms=now_ms,
        traceparent=accept_traceparent(request.headers.get("traceparent")),
    )
    return Record(link.code.encode(), encode_data(data), headers)
