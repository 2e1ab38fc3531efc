"""The composition root of the rules service: which parts it has, and how they are wired.

The parts start in this order and stop in reverse: bus and schema, database, state store, consumer, lag watch,
housekeeping.
"""

from __future__ import annotations

from typing import Final

from contracts.topics import DECISIONS, REFERRALS
from runtime import log
from runtime.bus.consumer import Consumer, Retry
from runtime.bus.dead_letters import DeadLetters, DlqLimit
from runtime.bus.lag import LagWatch
from runtime.bus.port import Batch, Bus, Owner
from runtime.clock import Clock
from runtime.database import Database
from runtime.foundation import Foundation
from runtime.metrics import Metrics
from runtime.operator import guarded_by
from runtime.service import App, run_service
from services.rules import api
from services.rules.api.bearer import bearer_of
from services.rules.clock.clockwork import Clockwork
from services.rules.contests.project import StandingsOwner
from services.rules.explaining.keep import Busyness, HistoryOwner
from services.rules.handlers import RulesOwner
from services.rules.lifecycle import Desk, resume_publishing, tell_policy
from services.rules.observe import Housekeeping, RulesObserver
from services.rules.playground import http as playground
from services.rules.restating import resume_restating
from services.rules.settings import GROUP, GROUP_CONTESTS, GROUP_HISTORY, GROUP_SHADOW, NAME, RulesSettings
from services.rules.shadowing.observe import ShadowObserver
from services.rules.shadowing.running import Shadowing
from services.rules.store import StateStore

HISTORY_RECORDS_MAX: Final = 5_000
HISTORY_LINGER_MS: Final = 1_000
"""What is kept for explanations is in no hurry, and more at once takes less room; the rest is read from the log."""
SHADOW_LINGER_MS: Final = 5_000
"""A shadow is in less of a hurry still, and a batch of few records costs it as much as one of many."""

logger = log.get(__name__)


async def run() -> int:
    """The whole process: settings from the environment, serve until a signal. Returns the exit code."""
    return await run_service(NAME, RulesSettings(), build_app)


def build_app(settings: RulesSettings, *, clock: Clock, bus: Bus) -> App:
    """The service, wired and not started; `bus` is not started either."""
    metrics = Metrics(NAME)
    observer = RulesObserver(metrics, rule_labels_max=settings.rules_rule_labels_max)
    store = StateStore(settings.redis)
    database = Database(settings.postgres, application=NAME, connections_max=3)
    owner = RulesOwner(
        bus=bus,
        store=store,
        dead_letters=DeadLetters(
            bus,
            limit=DlqLimit(share_max_ppm=settings.dlq_share_max_ppm, run_max=settings.dlq_run_max),
            clock=clock,
            on_reject=observer.rejected,
        ),
        observer=observer,
        clock=clock,
        cache_bytes_max=settings.rules_cache_bytes_max // settings.partitions,
    )
    busyness = Busyness(batch_records_max=settings.batch_records_max)

    def handled(batch: Batch, seconds: float) -> None:
        observer.handled(batch, seconds)
        busyness.handled(batch, seconds)

    consumer = Consumer(
        bus,
        REFERRALS.name,
        GROUP,
        owner,
        retry=Retry(wait_ms_max=settings.retry_wait_ms_max, retries_max=settings.retries_max),
        batch_records_max=settings.batch_records_max,
        batch_bytes_max=settings.batch_bytes_max,
        clock=clock,
        on_retry=observer.retried,
        on_batch=handled,
    )
    history = Consumer(
        bus,
        REFERRALS.name,
        GROUP_HISTORY,
        HistoryOwner(bus=bus, database=database, busyness=busyness),
        retry=Retry(wait_ms_max=settings.retry_wait_ms_max, retries_max=settings.retries_max),
        batch_records_max=HISTORY_RECORDS_MAX,
        batch_bytes_max=settings.batch_bytes_max,
        linger_ms=HISTORY_LINGER_MS,
        clock=clock,
        on_retry=observer.retried,
    )

    def shadow_consumer(owner: Owner) -> Consumer:
        return Consumer(
            bus,
            REFERRALS.name,
            GROUP_SHADOW,
            owner,
            retry=Retry(wait_ms_max=settings.retry_wait_ms_max, retries_max=settings.retries_max),
            batch_records_max=HISTORY_RECORDS_MAX,
            batch_bytes_max=settings.batch_bytes_max,
            linger_ms=SHADOW_LINGER_MS,
            clock=clock,
            on_retry=observer.retried,
        )

    shadowing = Shadowing(
        bus=bus,
        database=database,
        store=store,
        busyness=busyness,
        observer=ShadowObserver(metrics, rule_labels_max=settings.rules_rule_labels_max),
        clock=clock,
        consumer=shadow_consumer,
        cache_bytes_max=settings.rules_shadow_cache_bytes_max // (2 * settings.partitions),
        every_s=settings.rules_shadow_every_s,
    )
    desk = Desk(postgres=settings.postgres, bus=bus, store=store, clock=clock, policy=settings.policy)
    standings = Consumer(
        bus,
        DECISIONS.name,
        GROUP_CONTESTS,
        StandingsOwner(database),
        retry=Retry(wait_ms_max=settings.retry_wait_ms_max, retries_max=settings.retries_max),
        batch_records_max=settings.batch_records_max,
        batch_bytes_max=settings.batch_bytes_max,
        clock=clock,
        on_retry=observer.retried,
    )
    clockwork = Clockwork(
        database=database,
        bus=bus,
        store=store,
        clock=clock,
        projection=standings,
        delay_s=settings.rules_day_close_delay_s,
        every_s=settings.rules_clock_every_s,
    )

    async def finish_publishing() -> None:
        for restatement in await resume_restating(settings.postgres, bus=bus, clock=clock):
            logger.info("restatement posted", programme=restatement.programme, restatement=restatement.number)
        await tell_policy(settings.postgres, settings.policy, clock)
        for revision in await resume_publishing(settings.postgres, bus=bus, clock=clock):
            logger.info("publishing finished", programme=revision.programme, revision=revision.revision)

    return App(
        name=NAME,
        metrics=metrics,
        routes=[
            *(
                playground.routes(
                    guard=guarded_by(bearer_of(settings.postgres, settings.admin_key).caller),
                    is_busy=lambda: busyness.is_busy,
                )
                if settings.rules_playground
                else ()
            ),
            # Last: it takes whatever else begins with /v1.
            *api.routes(desk, admin_key=settings.admin_key, explain_events_max=settings.rules_explain_events_max),
        ],
        checks={"bus": bus.check, "postgres": database.check, "redis": store.check},
        components=[
            Foundation(settings, bus, service=NAME, then=finish_publishing),
            database,
            store,
            consumer,
            history,
            clockwork,
            shadowing,
            LagWatch(
                [consumer, history, standings, shadowing], bus=bus, metrics=metrics, every_s=settings.gauges_every_s
            ),
            Housekeeping(
                observer,
                metrics,
                owner=owner,
                gauges_every_s=settings.gauges_every_s,
                gc_busy_s_max=settings.rules_gc_busy_s_max,
            ),
        ],
    )
