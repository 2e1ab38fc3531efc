"""What the rules service shows of itself: the metrics of the catalogue, and when garbage is collected.

Labels stay bounded: beyond `rule_labels_max` distinct rules, further ones are counted as `other`.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter as Tally
from time import monotonic
from typing import Final

from contracts.topics import REFERRALS
from runtime.bus.observe import BusObserver
from runtime.bus.port import Batch
from runtime.ending import ended
from runtime.metrics import Metrics
from services.rules.fold import FoldResult
from services.rules.handlers import RulesOwner

OTHER: Final = "other"
GC_IDLE_S: Final = 1.0
"""No batch for this long means that a collection disturbs nobody."""


class RulesObserver(BusObserver):
    """Feeds the metrics; called for each batch and never for each event."""

    def __init__(self, metrics: Metrics, *, rule_labels_max: int) -> None:
        super().__init__(metrics, [REFERRALS])
        self._fold_seconds = metrics.histogram("fold_duration_seconds")
        self._decisions = metrics.counter("decisions_total")
        self._refusals = metrics.counter("fencing_refusals_total")
        self._rules: set[tuple[str, str]] = set()
        self._rule_labels_max = rule_labels_max
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

    def handled(self, batch: Batch, seconds: float) -> None:
        super().handled(batch, seconds)
        self.busy_at = monotonic()

    def _is_labelled(self, programme: str, rule: str) -> bool:
        if (programme, rule) in self._rules:
            return True
        if len(self._rules) >= self._rule_labels_max:
            return False
        self._rules.add((programme, rule))
        return True


class Housekeeping:
    """Renews the gauge of the cache, and collects garbage when nobody waits for it; a component of `runtime.service`.

    The cyclic collector costs a third of the throughput when it walks cached states whenever it likes (measured), so it
    is switched off while this runs, and called when no batch came for a while, or after `gc_busy_s_max` under load.
    """

    name = "housekeeping"

    def __init__(
        self,
        observer: RulesObserver,
        metrics: Metrics,
        *,
        owner: RulesOwner,
        gauges_every_s: float,
        gc_busy_s_max: float,
    ) -> None:
        self._observer = observer
        self._cached_bytes = metrics.gauge("state_cache_bytes")
        self._owner = owner
        self._gauges_every_s = gauges_every_s
        self._gc_busy_s_max = gc_busy_s_max
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._tasks = [asyncio.create_task(self._renew()), asyncio.create_task(self._collect_when_idle())]

    async def wait(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await ended(*self._tasks)
        gc.enable()
        gc.unfreeze()

    async def _renew(self) -> None:
        while True:
            self._cached_bytes.set(self._owner.cached_bytes)
            await asyncio.sleep(self._gauges_every_s)

    async def _collect_when_idle(self) -> None:
        collected_at = monotonic()
        while True:
            await asyncio.sleep(GC_IDLE_S)
            now = monotonic()
            is_idle = now - self._observer.busy_at > GC_IDLE_S
            had_work = self._observer.busy_at > collected_at
            if had_work and (is_idle or now - collected_at > self._gc_busy_s_max):
                gc.collect()
                # What survived is cached state, which is no garbage in cycles and need not be walked the next time.
                gc.freeze()
                collected_at = now
