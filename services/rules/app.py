"""The composition root of the rules service: which parts it has, and how they are wired.

The parts start in this order and stop in reverse: bus and schema, database, state store, consumer, lag watch,
housekeeping.
"""

from __future__ import annotations

from contracts.topics import REFERRALS
from runtime import log
from runtime.bus.consumer import Consumer, Retry
from runtime.bus.dead_letters import DeadLetters, DlqLimit
from runtime.bus.lag import LagWatch
from runtime.bus.port import Bus
from runtime.clock import Clock
from runtime.database import Database
from runtime.foundation import Foundation
from runtime.metrics import Metrics
from runtime.service import App, run_service
from services.rules import api
from services.rules.handlers import RulesOwner
from services.rules.lifecycle import resume_publishing, tell_policy
from services.rules.observe import Housekeeping, RulesObserver
from services.rules.settings import GROUP, NAME, RulesSettings
from services.rules.store import StateStore

logger = log.get(__name__)


async def run() -> int:
    """The whole process: settings from the environment, serve until a signal. Returns the exit code."""
    return await run_service(NAME, RulesSettings(), build_app)


def build_app(settings: RulesSettings, *, clock: Clock, bus: Bus) -> App:
    """The service, wired and not started; `bus` is not started either."""
    metrics = Metrics(NAME)
    observer = RulesObserver(metrics, rule_labels_max=settings.rules_rule_labels_max)
    store = StateStore(settings.redis)
    database = Database(settings.postgres, application=NAME, connections_max=2)
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
        on_batch=observer.handled,
    )

    async def finish_publishing() -> None:
        await tell_policy(settings.postgres, settings.policy, clock)
        for revision in await resume_publishing(settings.postgres, bus=bus, clock=clock):
            logger.info("publishing finished", programme=revision.programme, revision=revision.revision)

    return App(
        name=NAME,
        metrics=metrics,
        routes=api.routes(postgres=settings.postgres, bus=bus, store=store, clock=clock, admin_key=settings.admin_key),
        checks={"bus": bus.check, "postgres": database.check, "redis": store.check},
        components=[
            Foundation(settings, bus, service=NAME, then=finish_publishing),
            database,
            store,
            consumer,
            LagWatch([consumer], metrics=metrics, every_s=settings.gauges_every_s),
            Housekeeping(
                observer,
                metrics,
                owner=owner,
                gauges_every_s=settings.gauges_every_s,
                gc_busy_s_max=settings.rules_gc_busy_s_max,
            ),
        ],
    )
