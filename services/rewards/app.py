"""The composition root of the rewards service: which parts it has, and how they are wired.

The parts start in this order and stop in reverse: bus and schema, databases (of those who post, and of HTTP), relay,
clockwork, the clock of payouts, the three consumers, housekeeping.
Consumers stop before the writer that they wait for, and the relay publishes what it has in hand.
"""

from __future__ import annotations

from functools import partial

from contracts.topics import DECISIONS, RATES
from runtime.bus.consumer import Consumer, Retry
from runtime.bus.dead_letters import DeadLetters, DlqLimit
from runtime.bus.lag import LagWatch
from runtime.bus.port import Bus
from runtime.clock import Clock
from runtime.database import Database
from runtime.foundation import Foundation
from runtime.metrics import Metrics
from runtime.rounds import Rounds
from runtime.service import App, run_service
from services.rewards import api
from services.rewards.api.books import Books
from services.rewards.archive import ArchiveOwner
from services.rewards.asof.snapshots import PUT_OFF, Snapshots
from services.rewards.chain.sealer import Sealer, signer_of
from services.rewards.clockwork import Clockwork
from services.rewards.handlers import PostingOwner
from services.rewards.lives.settling import Settler
from services.rewards.memberships.selling import Memberships
from services.rewards.memberships.telling import TierTeller
from services.rewards.observe import Housekeeping, RewardsObserver
from services.rewards.outbox import Relay
from services.rewards.payouts.policy import tell_policy_to
from services.rewards.payouts.preparing import Preparer
from services.rewards.payouts.rates import RatesOwner
from services.rewards.payouts.scheduling import PayoutClock
from services.rewards.redemptions.redeeming import Redemptions
from services.rewards.settings import GROUP, GROUP_ARCHIVE, GROUP_RATES, NAME, RewardsSettings
from services.rewards.standings.catching_up import CatchUp
from services.rewards.standings.keeping import Standings
from services.rewards.store import SETUP, Ledger, Posted
from services.rewards.writer import Writer


async def run() -> int:
    """The whole process: settings from the environment, serve until a signal. Returns the exit code."""
    return await run_service(NAME, RewardsSettings(), build_app)


def build_app(settings: RewardsSettings, *, clock: Clock, bus: Bus) -> App:
    """The service, wired and not started; `bus` is not started either."""
    metrics = Metrics(NAME)
    observer = RewardsObserver(metrics)
    database = Database(
        settings.postgres,
        application=NAME,
        # Each writer, the clocks and the archive have one in hand; the rest is for gauges and checks.
        connections_max=2 * settings.rewards_writers_max + 5,
        setup=SETUP,
    )
    relay = Relay(
        settings.postgres,
        bus,
        setup=SETUP,
        poll_s=settings.rewards_relay_poll_ms / 1_000,
        transfers_max=settings.rewards_relay_transfers_max,
    )

    def posted(result: Posted) -> None:
        observer.posted(result)
        relay.wake()

    ledger, counted = Ledger(database), Ledger(database, on_posted_within=posted)
    settler = Settler(database, ledger)
    redemptions = Redemptions(database, ledger, clock=clock, reserved_days_max=settings.rewards_reserved_days_max)
    memberships = Memberships(database, ledger, clock=clock)
    writer = Writer(
        ledger,
        settler,
        clock=clock,
        writers_max=settings.rewards_writers_max,
        posting_transfers_max=settings.rewards_posting_transfers_max,
        on_posted=posted,
    )
    doors = Database(
        settings.postgres,
        application=f"{NAME}-http",
        connections_max=settings.rewards_http_connections_max,
        setup=SETUP,
    )
    books = Books(
        postgres=settings.postgres,
        database=doors,
        clock=clock,
        write_off_minor_max=settings.rewards_write_off_minor_max,
        requests_days=settings.rewards_requests_days,
        reserved_days_max=settings.rewards_reserved_days_max,
        gift_limits=settings.gift_limits,
        on_posted=posted,
    )
    standings = Standings(database, bus)
    signer = signer_of(settings)
    dead_letters = DeadLetters(
        bus,
        limit=DlqLimit(share_max_ppm=settings.dlq_share_max_ppm, run_max=settings.dlq_run_max),
        clock=clock,
        on_reject=observer.rejected,
    )
    retry = Retry(wait_ms_max=settings.retry_wait_ms_max, retries_max=settings.retries_max)
    consumer = Consumer(
        bus,
        DECISIONS.name,
        GROUP,
        PostingOwner(writer=writer, standings=standings, dead_letters=dead_letters, clock=clock),
        retry=retry,
        batch_records_max=settings.batch_records_max,
        batch_bytes_max=settings.batch_bytes_max,
        clock=clock,
        on_retry=observer.retried,
        on_batch=observer.handled,
    )
    archive = Consumer(
        bus,
        DECISIONS.name,
        GROUP_ARCHIVE,
        ArchiveOwner(database=database, clock=clock),
        retry=retry,
        batch_records_max=settings.batch_records_max,
        batch_bytes_max=settings.batch_bytes_max,
        linger_ms=settings.rewards_archive_linger_ms,
        clock=clock,
        on_retry=observer.retried,
    )
    rates = Consumer(
        bus,
        RATES.name,
        GROUP_RATES,
        RatesOwner(database=database, dead_letters=dead_letters),
        retry=retry,
        batch_records_max=settings.batch_records_max,
        batch_bytes_max=settings.batch_bytes_max,
        clock=clock,
        on_retry=observer.retried,
    )
    clockwork = Clockwork(
        database,
        settler,
        clock=clock,
        batch_max=settings.rewards_posting_transfers_max,
        expiry_notice_days=settings.rewards_expiry_notice_days,
        chores=[redemptions.cancel_overdue, memberships.end_terms],
        on_posted=posted,
    )
    clock_every_s = settings.rewards_clock_every_ms / 1_000
    return App(
        name=NAME,
        metrics=metrics,
        routes=api.routes(books, admin_key=settings.admin_key),
        checks={"bus": bus.check, "postgres": database.check},
        components=[
            Foundation(
                settings,
                bus,
                service=NAME,
                then=partial(
                    tell_policy_to,
                    settings.postgres,
                    require_approval=settings.rewards_require_approval,
                    clock=clock,
                ),
            ),
            database,
            doors,
            relay,
            Rounds("tier-teller", TierTeller(database, bus, clock=clock).tell, every_s=clock_every_s),
            Rounds("clockwork", clockwork.tick, every_s=clock_every_s),
            Rounds(
                "payout clock",
                PayoutClock(database, Preparer(database, counted, clock=clock), clock=clock).tick,
                every_s=settings.rewards_payouts_every_s,
            ),
            consumer,
            archive,
            rates,
            Rounds("standings", CatchUp(database, bus, standings).round, every_s=clock_every_s),
            Rounds(
                "snapshots",
                Snapshots(database, clock=clock, transfers=settings.rewards_snapshot_transfers).tick,
                every_s=settings.rewards_snapshots_every_s,
                put_off=PUT_OFF,
            ),
            *(
                ()
                if signer is None
                else (
                    Rounds(
                        "sealer",
                        Sealer(database, bus, signer, clock=clock).sign_newest,
                        every_s=settings.rewards_sign_every_s,
                    ),
                )
            ),
            LagWatch([consumer, archive, rates], bus=bus, metrics=metrics, every_s=settings.gauges_every_s),
            Housekeeping(
                metrics,
                database=database,
                clock=clock,
                gauges_every_s=settings.gauges_every_s,
                trial_balance_every_s=settings.rewards_trial_balance_every_s,
                audit_every_s=settings.rewards_audit_every_s,
                requests_days=settings.rewards_requests_days,
            ),
        ],
    )
