"""What the rules service shows of itself: metrics of the catalogue, fed by the loop, and the lag beside it.

Labels stay bounded: beyond `rule_labels_max` distinct rules, further ones are counted as `other`. Lag in seconds is
the age of the last handled record of a partition that is behind, or the time since it was last seen level, whichever
is less: both are upper bounds of the age of the oldest record not yet handled, without reading it.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter as Tally
from time import monotonic
from typing import Final

from contracts.topics import REFERRALS
from runtime import log
from runtime.bus.port import Bus, BusUnavailable
from runtime.clock import Clock
from runtime.metrics import Metrics
from services.rules.fold import FoldResult

logger = log.get(__name__)
OTHER: Final = "other"
GC_IDLE_S: Final = 1.0
"""No batch for this long means that a collection disturbs nobody."""


class RulesObserver:
    """Feeds the metrics; called by the loop, for each batch and never for each event."""

    def __init__(self, metrics: Metrics, *, clock: Clock, rule_labels_max: int) -> None:
        self._clock = clock
        self._fold_seconds = metrics.histogram("fold_duration_seconds")
        self._decisions = metrics.counter("decisions_total")
        self._refusals = metrics.counter("fencing_refusals_total")
        self._rules: set[tuple[str, str]] = set()
        self._rule_labels_max = rule_labels_max
        self.handled_at: dict[int, tuple[int, int]] = {}
        """Partition to the offset that comes next, and when the log took the last handled record."""
        self.busy_at = 0.0
        """When a batch was last handled, by the monotonic clock."""

    def folded(self, result: FoldResult, seconds: float) -> None:
        self._fold_seconds.observe(seconds)
        tally = Tally((decision.programme, decision.rule, decision.granted) for decision in result.decisions)
        for (programme, rule, granted), count in tally.items():
            labels = (programme, rule) if self._is_labelled(programme, rule) else (OTHER, OTHER)
            self._decisions.labels(*labels, "granted" if granted else "denied").inc(count)

    def fenced(self) -> None:
        self._refusals.inc()

    def assigned(self, partition: int, offset: int) -> None:
        """Nothing is handled yet, so the age of what waits is not known before the first batch."""
        self.handled_at[partition] = (offset, self._clock.now_ms())

    def handled(self, partition: int, offset: int, recorded_at_ms: int) -> None:
        self.handled_at[partition] = (offset, recorded_at_ms)
        self.busy_at = monotonic()

    def revoked(self, partition: int) -> None:
        self.handled_at.pop(partition, None)

    def _is_labelled(self, programme: str, rule: str) -> bool:
        if (programme, rule) in self._rules:
            return True
        if len(self._rules) >= self._rule_labels_max:
            return False
        self._rules.add((programme, rule))
        return True


class Housekeeping:
    """Renews the lag gauges, and collects garbage when nobody waits for it; a component of `runtime.service`.

    The cyclic collector costs a third of the throughput when it walks cached states whenever it likes (measured), so it
    is switched off while this runs, and called when no batch came for a while, or after `gc_busy_s_max` under load.
    """

    name = "housekeeping"

    def __init__(
        self,
        observer: RulesObserver,
        metrics: Metrics,
        *,
        bus: Bus,
        clock: Clock,
        lag_every_s: float,
        gc_busy_s_max: float,
    ) -> None:
        self._observer = observer
        self._records = metrics.gauge("bus_lag_records").labels(REFERRALS.name)
        self._seconds = metrics.gauge("bus_lag_seconds").labels(REFERRALS.name)
        self._bus = bus
        self._clock = clock
        self._lag_every_s = lag_every_s
        self._gc_busy_s_max = gc_busy_s_max
        self._level_at_ms: dict[int, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._tasks = [asyncio.create_task(self._watch_lag()), asyncio.create_task(self._collect_when_idle())]

    async def wait(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        gc.enable()
        gc.unfreeze()

    async def _watch_lag(self) -> None:
        while True:
            try:
                self.measure_lag(await self._bus.end_offsets(REFERRALS.name))
            except BusUnavailable as error:
                logger.warning("lag unknown", reason=str(error))
            await asyncio.sleep(self._lag_every_s)

    def measure_lag(self, end_offsets: dict[int, int]) -> None:
        """Set the gauges from the log's ends; partitions of other processes are theirs to measure."""
        now_ms = self._clock.now_ms()
        lag_records = 0
        lag_ms = 0
        for partition, (offset, recorded_at_ms) in self._observer.handled_at.items():
            behind = end_offsets.get(partition, offset) - offset
            if behind > 0:
                lag_records += behind
                lag_ms = max(lag_ms, now_ms - max(recorded_at_ms, self._level_at_ms.get(partition, recorded_at_ms)))
            else:
                self._level_at_ms[partition] = now_ms
        self._records.set(lag_records)
        self._seconds.set(lag_ms / 1000)

    async def _collect_when_idle(self) -> None:
        collected_at = monotonic()
        while True:
            await asyncio.sleep(GC_IDLE_S)
            now = monotonic()
            is_idle = now - self._observer.busy_at > GC_IDLE_S
            had_work = self._observer.busy_at > collected_at
            if had_work and (is_idle or now - collected_at > self._gc_busy_s_max):
                gc.collect()
                collected_at = now
