"""How far behind the log we are, in records and in seconds, for each topic we read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from runtime import log
from runtime.bus.consumer import Consumer
from runtime.bus.port import BusUnavailable
from runtime.metrics import Metrics

logger = log.get(__name__)


class LagWatch:
    """A component that renews the lag gauges of the partitions held here; others' are theirs to measure."""

    name = "lag"

    def __init__(self, consumers: Mapping[str, Consumer], *, metrics: Metrics, every_s: float) -> None:
        self._consumers = consumers
        self._records = metrics.gauge("bus_lag_records")
        self._seconds = metrics.gauge("bus_lag_seconds")
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for topic in self._consumers:
            self._records.labels(topic).set(0)
            self._seconds.labels(topic).set(0)
        self._task = asyncio.create_task(self._run(), name="lag")

    async def wait(self) -> None:
        assert self._task is not None
        await self._task

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                for topic, consumer in self._consumers.items():
                    lag = await consumer.lag()
                    self._records.labels(topic).set(lag.records)
                    self._seconds.labels(topic).set(lag.seconds)
            except BusUnavailable as error:
                logger.warning("lag unknown", reason=str(error))
