"""The composition root of the notify service: which parts it has, and how they are wired.

Started in this order and stopped in reverse: bus and schema, database, sender, the consumers, the lag watch. So on
SIGTERM reading ends first, then the mails in hand.

Readiness asks for the bus and PostgreSQL, not for the mail relay: while the relay is away facts are still taken and
mails wait, and a service that is restarted or taken out of rotation for it would only lose its place.
`goodword_notify_relay_reachable` says how the relay is.
"""

from __future__ import annotations

from contracts.topics import DECISIONS, LEDGER, PARTNERS, Topic
from runtime.bus.consumer import Consumer, Retry
from runtime.bus.dead_letters import DeadLetters, DlqLimit
from runtime.bus.lag import LagWatch
from runtime.bus.observe import BusObserver
from runtime.bus.port import Bus, Owner
from runtime.clock import Clock
from runtime.database import Database
from runtime.foundation import Foundation
from runtime.metrics import Metrics
from runtime.service import App, run_service
from services.notify import api
from services.notify.decode import mails_of_decisions, mails_of_ledger
from services.notify.handlers import FactsOwner, PartnersOwner, Read
from services.notify.sender import Sender
from services.notify.settings import GROUP_DECISIONS, GROUP_LEDGER, GROUP_PARTNERS, NotifySettings

NAME = "notify"


def build_app(settings: NotifySettings, *, clock: Clock, bus: Bus) -> App:
    """The service, wired and not started; `bus` is not started either."""
    metrics = Metrics(NAME)
    observer = BusObserver(metrics, [PARTNERS, DECISIONS, LEDGER])
    database = Database(settings.postgres, application=NAME, connections_max=settings.notify_connections_max + 4)
    sender = Sender(settings, database=database, clock=clock, metrics=metrics)
    dead_letters = DeadLetters(
        bus,
        limit=DlqLimit(share_max_ppm=settings.dlq_share_max_ppm, run_max=settings.dlq_run_max),
        clock=clock,
        on_reject=observer.rejected,
    )

    def facts(read: Read) -> FactsOwner:
        return FactsOwner(
            read,
            settings=settings,
            database=database,
            dead_letters=dead_letters,
            clock=clock,
            metrics=metrics,
            wake=sender.wake,
        )

    def consume(topic: Topic, group: str, owner: Owner) -> Consumer:
        return Consumer(
            bus,
            topic.name,
            group,
            owner,
            retry=Retry(wait_ms_max=settings.retry_wait_ms_max, retries_max=settings.retries_max),
            batch_records_max=settings.batch_records_max,
            batch_bytes_max=settings.batch_bytes_max,
            linger_ms=settings.notify_linger_ms,
            clock=clock,
            on_retry=observer.retried,
            on_batch=observer.handled,
        )

    partners = PartnersOwner(database=database, dead_letters=dead_letters, clock=clock, wake=sender.wake)
    consumers = [
        # The address book first: it saves most mails the wait for their address.
        consume(PARTNERS, GROUP_PARTNERS, partners),
        consume(DECISIONS, GROUP_DECISIONS, facts(mails_of_decisions)),
        consume(LEDGER, GROUP_LEDGER, facts(mails_of_ledger)),
    ]
    return App(
        name=NAME,
        metrics=metrics,
        routes=api.routes(postgres=settings.postgres, admin_key=settings.admin_key),
        checks={"bus": bus.check, "postgres": database.check},
        components=[
            Foundation(settings, bus, service=NAME),
            database,
            sender,
            *consumers,
            LagWatch(consumers, bus=bus, metrics=metrics, every_s=settings.gauges_every_s),
        ],
    )


async def run() -> int:
    """The whole process: settings from the environment, serve until a signal. Returns the exit code."""
    return await run_service(NAME, NotifySettings(), build_app)
