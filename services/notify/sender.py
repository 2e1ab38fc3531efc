"""The sender: takes due mails in hand, hands them to the relay, records what became of them.

Promises: a mail is claimed, committed, before the relay hears of it; every mail in hand ends in a recorded state,
also when the database is away for a while; a mail that may have gone out is never sent again. While the relay is
away nothing is claimed but a trial now and then, so an outage uses up no mail's patience.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from typing import Final, TypeVar

from runtime import log
from runtime.clock import Clock
from runtime.database import OUTAGES, Database
from runtime.ending import ended
from runtime.metrics import Metrics
from services.notify import store
from services.notify.addresses import parse_mailbox
from services.notify.identity import Identity
from services.notify.outcomes import Answer, Verdict, judge, reason_of, retry_wait_ms
from services.notify.relay import RelayConnection, parse_relay
from services.notify.render import Content, RenderError, Writer
from services.notify.settings import NotifySettings
from services.notify.store import Claimed, Counted

UNSENDABLE_MAX: Final = 1_000
"""Mails without an address that one statement settles."""
RELAY_WAIT_S_MIN: Final = 0.5
HOUR_MS: Final = 3_600_000
_T = TypeVar("_T")

logger = log.get(__name__)


class Sender:
    """A component: one loop that claims, and at most `notify_connections_max` deliveries beside it."""

    name = "sender"

    def __init__(self, settings: NotifySettings, *, database: Database, clock: Clock, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._identity = Identity(settings.postgres)
        mailbox = parse_mailbox(settings.notify_from)
        self._envelope_sender = mailbox.addr_spec
        self._writer = Writer(mailbox)
        relay = parse_relay(settings.smtp)
        self._idle = [
            RelayConnection(
                relay, answer_s_max=settings.notify_answer_s_max, acceptance_s_max=settings.notify_acceptance_s_max
            )
            for _ in range(settings.notify_connections_max)
        ]
        self._in_hand: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._loop_task: asyncio.Task[None] | None = None
        self._failure: asyncio.Future[None] | None = None
        self._next_claim_at = 0.0
        self._next_settling_at = 0.0
        self._next_recovery_at = 0.0
        self._relay_failures = 0

    def wake(self) -> None:
        """Mails were added: look at once."""
        self._wake.set()

    async def start(self) -> None:
        self._failure = asyncio.get_running_loop().create_future()
        await self._identity.take()
        self._metrics.gauge("relay_reachable").set(1)
        self._loop_task = asyncio.create_task(self._run(), name="sender")

    async def wait(self) -> None:
        assert self._loop_task is not None
        assert self._failure is not None
        await asyncio.wait({self._loop_task, self._failure}, return_when=asyncio.FIRST_COMPLETED)
        for done in (self._failure, self._loop_task):
            if done.done():
                done.result()

    async def stop(self) -> None:
        """Let the mails in hand end, for a while; those cut off are recorded by how far they came."""
        self._stopping = True
        self._wake.set()
        tasks = list(self._in_hand.values())
        if self._loop_task is not None:
            tasks.append(self._loop_task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.notify_stop_s_max)
            await ended(*late)
            await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._idle:
            await connection.close()
        await self._identity.leave()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        poll_s = self._settings.notify_poll_s
        while not self._stopping:
            self._wake.clear()
            await self._persist(self._tidy)
            wait_s = self._next_claim_at - loop.time()
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, poll_s))
            elif not await self._persist(self._claim):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(poll_s):
                        await self._wake.wait()

    async def _tidy(self) -> None:
        """From time to time: settle mails that cannot be sent, look after what dead processes and lost answers left."""
        loop = asyncio.get_running_loop()
        now_ms = self._clock.now_ms()
        if loop.time() >= self._next_settling_at:
            settled = await store.settle_unsendable(self._database, now_ms=now_ms, count_max=UNSENDABLE_MAX)
            self._count(settled)
            if sum(one.count for one in settled) < UNSENDABLE_MAX:
                self._next_settling_at = loop.time() + self._settings.notify_poll_s
        if loop.time() >= self._next_recovery_at:
            await self._recover(now_ms)
            self._next_recovery_at = loop.time() + self._settings.notify_recover_every_s

    async def _claim(self) -> int:
        """Take mails in hand, one for each idle connection, and start delivering them. How many."""
        # While the relay is away, one mail goes to see whether it is back.
        count_max = len(self._idle) if self._relay_failures == 0 else min(len(self._idle), 1)
        if count_max == 0:
            return 0
        mails = await store.claim(
            self._database, sender=self._identity.number, now_ms=self._clock.now_ms(), count_max=count_max
        )
        for mail in mails:
            connection = self._idle.pop()
            task = asyncio.create_task(self._deliver(mail, connection), name=f"mail {mail.fact}")
            self._in_hand[mail.fact, mail.kind] = task
            task.add_done_callback(self._delivered(mail, connection))
        self._next_claim_at = (
            asyncio.get_running_loop().time() + len(mails) / self._settings.notify_mails_per_second_max
        )
        return len(mails)

    async def _recover(self, now_ms: int) -> None:
        await self._identity.keep()
        number = self._identity.number
        dead = await store.disown_dead(self._database, sender=number, now_ms=now_ms)
        for counted in dead:
            logger.error("mails of a dead process are unknown", kind=counted.kind, mails=counted.count)
        self._count(dead)
        await store.release_strays(self._database, sender=number, in_hand=self._in_hand.keys(), now_ms=now_ms)
        self._metrics.gauge("mails_pending").set(await store.pending_count(self._database))

    async def _deliver(self, mail: Claimed, connection: RelayConnection) -> None:
        """One mail, from claim to recorded outcome, also when it is cut off in the middle."""
        connection.stage = "connect"
        answer: Answer | None = None
        try:
            message = self._write(mail)
            answer = await connection.deliver(message, sender=self._envelope_sender, recipient=mail.address)
        except RenderError as error:
            # A template at fault looks like data at fault: the mail waits, so that a repaired deploy sends it.
            answer = Answer("envelope", None, str(error))
        finally:
            if answer is None:
                connection.drop()
                answer = Answer(connection.stage, None, "the service stopped before the relay answered")
                await self._record(mail, judge(answer), reason_of(answer))
        self._see_relay(answer)
        await self._record(mail, judge(answer), reason_of(answer))

    def _write(self, mail: Claimed) -> EmailMessage:
        return self._writer.write(
            Content(
                fact=mail.fact,
                kind=mail.kind,
                programme=mail.programme,
                address=mail.address,
                trace=mail.trace,
                written_at_ms=self._clock.now_ms(),
                details=mail.details,
                name=mail.name,
                language=mail.language,
            )
        )

    async def _record(self, mail: Claimed, verdict: Verdict, reason: str) -> None:
        attempts = mail.attempts + (verdict != "relay-away")
        state = "failed" if self._is_given_up(mail, verdict) else verdict
        fields = {"fact": mail.fact, "kind": mail.kind, "partner": mail.partner, "trace_id": mail.trace}
        number = self._identity.number
        now_ms = self._clock.now_ms()
        if state in {"put-off", "relay-away"}:
            wait_ms = 0
            if state == "put-off":
                wait_ms = retry_wait_ms(
                    attempts,
                    wait_s_min=self._settings.notify_retry_wait_s_min,
                    wait_s_max=self._settings.notify_retry_wait_s_max,
                )
            await self._persist(
                lambda: store.put_off(
                    self._database, mail, sender=number, reason=reason, attempts=attempts, due_at_ms=now_ms + wait_ms
                )
            )
            self._metrics.counter("mail_retries_total").inc()
            logger.info("mail put off", reason=reason, attempts=attempts, wait_ms=wait_ms, **fields)
            return
        kept = None if state == "sent" else reason
        await self._persist(
            lambda: store.settle(
                self._database, mail, sender=number, state=state, reason=kept, attempts=attempts, now_ms=now_ms
            )
        )
        self._count([Counted(mail.kind, state, 1)])
        if state == "sent":
            logger.info("mail sent", attempts=attempts, **fields)
        else:
            logger.warning("mail not sent", state=state, reason=reason, attempts=attempts, **fields)

    def _is_given_up(self, mail: Claimed, verdict: Verdict) -> bool:
        tried_ms = self._clock.now_ms() - mail.created_at_ms
        return verdict in {"put-off", "relay-away"} and tried_ms > self._settings.notify_give_up_hours * HOUR_MS

    def _see_relay(self, answer: Answer) -> None:
        """Slow down while the relay is away, doubling up to the limit; at full speed again with its first answer."""
        if judge(answer) != "relay-away":
            self._relay_failures = 0
            self._metrics.gauge("relay_reachable").set(1)
            return
        now = asyncio.get_running_loop().time()
        if self._relay_failures > 0 and now < self._next_claim_at:
            return  # Another connection met the same outage at the same time.
        if self._relay_failures == 0:
            logger.error("the mail relay is away; mails wait", reason=reason_of(answer))
        self._relay_failures += 1
        self._metrics.gauge("relay_reachable").set(0)
        wait_s = RELAY_WAIT_S_MIN * (1 << min(self._relay_failures - 1, 20))
        self._next_claim_at = now + min(wait_s, self._settings.notify_relay_wait_s_max)

    def _delivered(self, mail: Claimed, connection: RelayConnection) -> Callable[[asyncio.Task[None]], None]:
        def done(task: asyncio.Task[None]) -> None:
            del self._in_hand[mail.fact, mail.kind]
            self._idle.append(connection)
            self._wake.set()
            error = None if task.cancelled() else task.exception()
            if error is not None and self._failure is not None and not self._failure.done():
                self._failure.set_exception(error)

        return done

    async def _persist(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do it again while PostgreSQL is away, as often as a consumer would; then let the service stop."""
        for attempt in range(self._settings.retries_max):
            try:
                return await work()
            except OUTAGES as error:
                wait_ms = min(100 * (1 << min(attempt, 20)), self._settings.retry_wait_ms_max)
                logger.warning("PostgreSQL is away; trying again", reason=str(error), wait_ms=wait_ms)
                self._metrics.counter("retries_total").inc()
                await asyncio.sleep(wait_ms / 1000)
        return await work()

    def _count(self, counted: list[Counted]) -> None:
        for one in counted:
            self._metrics.counter("mails_total").labels(one.kind, one.state).inc(one.count)
