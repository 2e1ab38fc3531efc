"""The composition root of the tracking service: which parts it has, and how they are wired.

The parts start in this order and stop in reverse: database and bus with schema and topics, Redis, clicks. HTTP is up
before them and answers 503 until they are there.
"""

from __future__ import annotations

import asyncio
from typing import Final

from runtime.bus.port import Bus
from runtime.clock import Clock
from runtime.database import Database
from runtime.foundation import Foundation
from runtime.metrics import Metrics
from runtime.service import App, run_service
from services.tracking import api
from services.tracking.authenticate import Authenticator
from services.tracking.dedupe import SeenIds
from services.tracking.handlers import FrontDoor
from services.tracking.relay import ClickRelay
from services.tracking.settings import DAY_S, TrackingSettings
from services.tracking.store import TrackingStore

NAME: Final = "tracking"


async def run() -> int:
    """The whole process: settings from the environment, serve until a signal. Returns the exit code."""
    return await run_service(NAME, TrackingSettings(), build_app)


def build_app(settings: TrackingSettings, *, clock: Clock, bus: Bus) -> App:
    """The service, wired and not started; `bus` is not started either."""
    metrics = Metrics(NAME)
    database = Database(settings.postgres, application=NAME, connections_max=4)
    store = TrackingStore(
        database,
        keys_cached_s=settings.tracking_keys_cached_s,
        links_cached_s=settings.tracking_links_cached_s,
        cached_max=settings.tracking_cached_max,
    )
    seen = SeenIds(
        settings.redis,
        clock=clock,
        seconds_max=settings.tracking_redis_seconds_max,
        remember_s=settings.tracking_seen_days * DAY_S,
    )
    door = FrontDoor(settings, clock=clock, bus=bus, store=store, seen=seen)
    relay = ClickRelay(bus, metrics.counter("clicks_total"), waiting_max=settings.tracking_clicks_waiting_max)
    return App(
        name=NAME,
        metrics=metrics,
        routes=api.routes(
            settings,
            door=door,
            store=store,
            authenticator=Authenticator(store, settings.admin_key, grants_max=settings.tracking_cached_max),
            relay=relay,
            metrics=metrics,
            clock=clock,
        ),
        checks={"bus": bus.check, "postgres": database.check, "redis": seen.check},
        components=[Foundation(settings, bus, service=NAME), database, seen, _Opening(settings, store, door), relay],
    )


class _Opening:
    """Opens the front door once everything behind it is there, and closes it first."""

    name = "front door"

    def __init__(self, settings: TrackingSettings, store: TrackingStore, door: FrontDoor) -> None:
        self._settings = settings
        self._store = store
        self._door = door

    async def start(self) -> None:
        secret = self._settings.tracking_click_secret
        kept = await self._store.click_secrets()
        # A secret of the settings signs; those kept from before still verify.
        self._door.open((secret.get_secret_value().encode(), *kept) if secret else kept)

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self._door.close()
