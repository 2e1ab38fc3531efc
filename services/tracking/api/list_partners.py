"""`GET /v1/partners?programme=…`: the partners that tracking knows, with their profiles. Operator's key only."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from contracts.events import format_time
from runtime.http import json_response
from services.tracking.partners import Partner
from services.tracking.store import TrackingStore


class ListPartners:
    """The operation, wired."""

    def __init__(self, store: TrackingStore) -> None:
        self._store = store

    async def __call__(self, request: Request) -> Response:
        partners = await self._store.list_partners(request.query_params.get("programme"))
        return json_response({"partners": [as_json(partner) for partner in partners]})


def as_json(partner: Partner) -> dict[str, Any]:
    """A partner for programs; `joined_at` is the time of the event that named it first, unless its profile says so."""
    profile: dict[str, Any] = msgspec.to_builtins(partner.profile)
    return profile | {
        "programme": partner.programme,
        "partner": partner.partner,
        "joined_at": profile.get("joined_at") or format_time(partner.joined_at_ms),
    }
