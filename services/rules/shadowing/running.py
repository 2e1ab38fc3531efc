"""Starts following when somebody started a shadow, and stops when it has ended; a component of `runtime.service`.

Promises: whatever becomes of a shadow, the service goes on deciding. A mistake (a log without its beginning, a state of
another version) ends the shadow as failed, with the reason; an outage is waited out. While none runs, all that happens
is one look at an empty index every `every_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg

from contracts.errors import InvariantBroken, PermanentError, TransientError
from contracts.topics import REFERRALS
from runtime import log
from runtime.bus.consumer import Consumer
from runtime.bus.lag import Lag
from runtime.bus.port import Bus, Owner
from runtime.clock import Clock
from runtime.database import OUTAGES, Database
from runtime.ending import ended
from services.rules.explaining.keep import Busyness
from services.rules.lifecycle.record import fetch_one, moment
from services.rules.settings import GROUP_SHADOW
from services.rules.shadowing.follow import ShadowOwner
from services.rules.shadowing.observe import ShadowObserver
from services.rules.shadowing.part import ready_draft
from services.rules.shadowing.record import Shadow, fetch_running, mark_over
from services.rules.store import StateStore

REASON_LENGTH_MAX: Final = 1_000
logger = log.get(__name__)


class Shadowing:
    """Runs the shadow that is to run.

    Args:
        consumer: Makes what reads the referral log for an owner, as group `rules-shadow`.
        cache_bytes_max: How much decoded state one side of a partition may keep in memory.
    """

    name = "shadow"
    topic = REFERRALS.name
    group = GROUP_SHADOW

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        store: StateStore,
        busyness: Busyness,
        observer: ShadowObserver,
        clock: Clock,
        consumer: Callable[[Owner], Consumer],
        cache_bytes_max: int,
        every_s: float,
    ) -> None:
        self._bus = bus
        self._database = database
        self._store = store
        self._busyness = busyness
        self._observer = observer
        self._clock = clock
        self._consumer_of = consumer
        self._cache_bytes_max = cache_bytes_max
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None
        self._shadow: Shadow | None = None
        self._owner: ShadowOwner | None = None
        self._consumer: Consumer | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def wait(self) -> None:
        assert self._task is not None, "start first"
        await self._task

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)
        await self._stop_following()

    async def lag(self) -> Lag:
        """Of the partitions held now; nothing waits while no shadow runs. Raises BusUnavailable."""
        return Lag(0, 0.0) if self._consumer is None else await self._consumer.lag()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except (TransientError, *OUTAGES) as error:
                logger.warning("a look at the shadow was put off", reason=str(error))
            await asyncio.sleep(self._every_s)

    async def _look(self) -> None:
        async with self._database.connection() as connection:
            running = await fetch_running(connection)
        self._observer.running(running is not None)
        current = self._shadow
        if current is not None and self._waiting is not None:
            is_stopped = self._waiting.done()
            if is_stopped or running is None or running.number != current.number:
                error = await self._stop_following()
                if error is not None and not isinstance(error, (TransientError, *OUTAGES)):
                    await self._fail(current, error)
                    return
        if running is not None and self._consumer is None:
            await self._follow(running)
        if self._owner is not None:
            await self._keep(self._owner)

    async def _keep(self, owner: ShadowOwner) -> None:
        """When nothing arrives any more, nobody else would."""
        try:
            await owner.keep_what_waits()
        except (psycopg.Error, PermanentError, InvariantBroken) as error:
            shadow = self._shadow
            await self._stop_following()
            if shadow is not None:
                await self._fail(shadow, error)

    async def _follow(self, shadow: Shadow) -> None:
        async with self._database.connection() as connection:
            draft = await fetch_one(connection, shadow.programme, shadow.revision)
        try:
            # In a thread, since the live loop must not wait for it.
            side, zone = await asyncio.to_thread(ready_draft, draft.source_text, draft.revision, draft.digest)
        except PermanentError as error:
            await self._fail(shadow, error)
            return
        owner = ShadowOwner(
            shadow,
            side,
            zone,
            bus=self._bus,
            database=self._database,
            store=self._store,
            busyness=self._busyness,
            observer=self._observer,
            cache_bytes_max=self._cache_bytes_max,
            keep_s=self._every_s,
        )
        consumer = self._consumer_of(owner)
        await consumer.start()
        self._shadow, self._owner, self._consumer = shadow, owner, consumer
        self._waiting = asyncio.create_task(consumer.wait(), name="shadow consumer")
        logger.info("shadow begins", programme=shadow.programme, revision=shadow.revision, share_ppm=shadow.share_ppm)

    async def _stop_following(self) -> BaseException | None:
        """Returns what stopped the consumer, if it did not only end."""
        consumer, waiting = self._consumer, self._waiting
        self._shadow = self._owner = self._consumer = self._waiting = None
        if consumer is None or waiting is None:
            return None
        await consumer.stop()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        return outcome

    async def _fail(self, shadow: Shadow, error: BaseException) -> None:
        logger.error("the shadow failed", programme=shadow.programme, revision=shadow.revision, reason=str(error))
        async with self._database.connection() as connection, connection.transaction():
            await mark_over(
                connection,
                shadow.number,
                "failed",
                at=moment(self._clock.now_ms()),
                reason=(str(error) or type(error).__name__)[:REASON_LENGTH_MAX],
            )
