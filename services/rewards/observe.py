"""What the rewards service shows of itself: the metrics of the catalogue, and the invariants as gauges."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Final

from contracts.errors import TransientError
from contracts.ids import uuid_text
from contracts.topics import DECISIONS, RATES
from runtime import log
from runtime.bus.observe import BusObserver
from runtime.clock import Clock
from runtime.database import OUTAGES, Database
from runtime.ending import ended
from runtime.metrics import HOLD_AGES, PAYOUT_STATES, Metrics
from services.rewards.invariants import QUICK, SLOW, ChainHolds, Invariant
from services.rewards.partitions.store import count_other, open_ahead
from services.rewards.requests import store as requests
from services.rewards.store import Posted

HOLD_AGE_DAYS: Final = (365, 90, 30)
DAY_MS: Final = 86_400_000
PARTITIONS_EVERY_S: Final = 3_600.0
UNSIGNED_MAX: Final = 10_000
"""More blocks that no signed head covers are not counted."""

logger = log.get(__name__)


class RewardsObserver(BusObserver):
    """Feeds the metrics; called for each batch or posting, never for each transfer."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics, [DECISIONS, RATES])
        self._transfers = metrics.counter("transfers_total")
        self._refused = metrics.counter("postings_refused_total")
        self._duplicates = metrics.counter("duplicates_total")

    def posted(self, posted: Posted) -> None:
        for stage, count in posted.by_stage.items():
            self._transfers.labels(stage).inc(count)
        self._duplicates.inc(posted.duplicates)
        self._refused.labels("conflict").inc(posted.conflicts)
        self._refused.labels("refused").inc(posted.refused)


class Housekeeping:
    """Renews gauges, each in its own rhythm; a component of `runtime.service`.

    An outage skips a round: the readiness check tells of it, and a gauge that could not be read keeps its value.
    """

    name = "housekeeping"

    def __init__(
        self,
        metrics: Metrics,
        *,
        database: Database,
        clock: Clock,
        gauges_every_s: float,
        trial_balance_every_s: float,
        audit_every_s: float,
        requests_days: int,
    ) -> None:
        self._trial_balance = metrics.gauge("trial_balance_minor")
        self._outbox = metrics.gauge("outbox_pending_batches")
        self._offenders = metrics.gauge("invariant_offenders")
        self._holds = metrics.gauge("holds_count")
        self._overdue = metrics.gauge("holds_overdue_seconds")
        self._open = {
            name: metrics.gauge(name)
            for name in (
                "redemptions_reserved",
                "memberships_active",
                "tiers_untold",
                "gifts_proposed",
                "standings_behind_decisions",
            )
        }
        self._waiting = metrics.gauge("decisions_waiting")
        self._other = metrics.gauge("transfers_unpartitioned_count")
        self._payouts = metrics.gauge("payouts_count")
        self._payouts_oldest = metrics.gauge("payouts_oldest_seconds")
        self._head_age = metrics.gauge("chain_head_age_seconds")
        self._unsigned = metrics.gauge("chain_unsigned_blocks")
        self._unsigned_age = metrics.gauge("chain_unsigned_seconds")
        self._checked = metrics.gauge("chain_checked_block")
        self._database = database
        self._clock = clock
        self._requests_days = requests_days
        self._rounds: tuple[tuple[float, Callable[[], Awaitable[None]]], ...] = (
            (gauges_every_s, self.count_outbox),
            (gauges_every_s, self.find_overdue),
            (gauges_every_s, self.watch_chain),
            (PARTITIONS_EVERY_S, self.open_months),
            (gauges_every_s, self.count_open),
            (gauges_every_s, self.count_payouts),
            (trial_balance_every_s, self.draw_trial_balance),
            (audit_every_s, self.count_holds),
            (audit_every_s, self.audit),
            (audit_every_s, self.forget_requests),
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        # What lives from here on is not looked at by the garbage collector again.
        gc.freeze()
        self._tasks = [asyncio.create_task(self._every(seconds, work)) for seconds, work in self._rounds]

    async def wait(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await ended(*self._tasks)

    async def count_outbox(self) -> None:
        rows = await self._database.fetch_all("SELECT count(*) FROM rewards.outbox")
        self._outbox.set(rows[0][0])

    async def open_months(self) -> None:
        await open_ahead(self._database, self._clock.now_ms())
        self._other.set(await count_other(self._database))

    async def draw_trial_balance(self) -> None:
        for unit, minor in await self._database.fetch_all(
            "SELECT unit, sum(minor) FROM rewards.balances GROUP BY unit"
        ):
            self._trial_balance.labels(unit).set(int(minor))
        for invariant in QUICK:
            await self._check(invariant)
        await self._check_chain()

    async def watch_chain(self) -> None:
        # Where no head was ever signed there is no key, and nothing to wait for.
        rows = await self._database.fetch_all(
            "SELECT extract(epoch FROM clock_timestamp() - max(b.sealed_at)),"
            " count(*) FILTER (WHERE b.number > h.block),"
            " extract(epoch FROM clock_timestamp() - min(b.sealed_at) FILTER (WHERE b.number > h.block))"
            " FROM (SELECT number, sealed_at FROM rewards.blocks ORDER BY number DESC LIMIT %(count_max)s) b"
            " CROSS JOIN (SELECT max(block) AS block FROM rewards.heads) h",
            {"count_max": UNSIGNED_MAX},
        )
        age_s, unsigned, unsigned_s = rows[0]
        self._head_age.set(age_s or 0)
        self._unsigned.set(unsigned)
        self._unsigned_age.set(unsigned_s or 0)

    async def _check_chain(self) -> None:
        newest = await self._database.fetch_all("SELECT max(number) FROM rewards.blocks")
        await self._check(ChainHolds())
        self._checked.set(newest[0][0] or 0)

    async def find_overdue(self) -> None:
        now_ms = self._clock.now_ms()
        rows = await self._database.fetch_all(
            "SELECT min(available_at_ms) FROM rewards.lives WHERE pending_minor > 0 AND available_at_ms <= %(now_ms)s",
            {"now_ms": now_ms},
        )
        self._overdue.set(0 if rows[0][0] is None else (now_ms - rows[0][0]) / 1_000)
        rows = await self._database.fetch_all("SELECT count(*) FROM rewards.lives WHERE state = 'waiting'")
        self._waiting.set(rows[0][0])

    async def count_open(self) -> None:
        rows = await self._database.fetch_all(
            "SELECT 'redemptions_reserved', count(*) FROM rewards.redemptions WHERE state = 'reserved'"
            " UNION ALL SELECT 'memberships_active', count(*) FROM rewards.memberships WHERE state = 'active'"
            " UNION ALL SELECT 'tiers_untold', count(*) FROM rewards.tier_tellings WHERE told_at_ms IS NULL"
            " UNION ALL SELECT 'gifts_proposed', count(*) FROM rewards.gifts WHERE state = 'proposed'"
            " UNION ALL SELECT 'standings_behind_decisions', coalesce(sum(greatest(until_offset - next_offset, 0)), 0)"
            " FROM rewards.standings_read"
        )
        for name, count in rows:
            self._open[name].set(count)

    async def count_payouts(self) -> None:
        now_ms = self._clock.now_ms()
        rows = await self._database.fetch_all(
            "SELECT state, count(*), min(changed_at_ms) FROM rewards.payouts"
            " WHERE state IN ('prepared', 'approved', 'sent') GROUP BY state"
        )
        found = {state: (count, max(0, now_ms - since_ms) / 1_000) for state, count, since_ms in rows}
        for state in PAYOUT_STATES:
            count, oldest_s = found.get(state, (0, 0.0))
            self._payouts.labels(state).set(count)
            self._payouts_oldest.labels(state).set(oldest_s)

    async def count_holds(self) -> None:
        # Ids begin with the time of the event, so their order tells the age.
        now_ms = self._clock.now_ms()
        counted = await self._database.fetch_all(
            "SELECT width_bucket(decision_id, %(bounds)s::uuid[]), count(*) FROM rewards.lives"
            " WHERE pending_minor > 0 GROUP BY 1",
            {"bounds": [uuid_text(now_ms - days * DAY_MS, "0" * 64) for days in HOLD_AGE_DAYS]},
        )
        counts: dict[int, int] = dict(counted)
        for bucket, age in enumerate(HOLD_AGES):
            self._holds.labels(age).set(counts.get(bucket, 0))

    async def audit(self) -> None:
        for invariant in SLOW:
            await self._check(invariant)

    async def forget_requests(self) -> None:
        await requests.forget(self._database, before_ms=self._clock.now_ms() - self._requests_days * DAY_MS)

    async def _check(self, invariant: Invariant) -> None:
        async with self._database.connection() as connection:
            offenders = await invariant.check(connection)
        self._offenders.labels(invariant.name).set(len(offenders))
        for offender in offenders:
            logger.error(
                "invariant broken",
                invariant=invariant.name,
                means=invariant.broken_means,
                where=offender.where,
                expected_minor=offender.expected_minor,
                found_minor=offender.found_minor,
            )

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except (TransientError, *OUTAGES) as error:
                logger.warning("gauges not renewed", work=work.__name__, reason=str(error))
            await asyncio.sleep(seconds)
