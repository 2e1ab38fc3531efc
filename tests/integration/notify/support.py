"""What notify's integration tests share: a real relay that behaves as told, and a sender over a real database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr

from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts.ids import derived_uuid
from goodword.mailsink.server import smtp_server
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.metrics import Metrics
from services.notify import reads, store
from services.notify.messages import Details, Mail
from services.notify.sender import Sender
from services.notify.settings import NotifySettings

DEADLINE_S = 30.0
PROGRAMME = "crm-sales"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Script:
    """A relay that answers mails by a script, and remembers what it accepted.

    Each recipient's address says how it is treated: `<how>.<anything>@example.com`. `how` is `ok`, `later` (450 once),
    `never` (550), `content-later` (451 after DATA, once), `content-never` (554 after DATA), `drop` (the connection is
    cut after DATA, mail kept), `slow` (no answer after DATA, mail kept).
    """

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        self.tried: Counter[str] = Counter()
        self.release = asyncio.Event()
        """Set it to let slow ones go."""

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried[address] += 1
        how = address.partition(".")[0]
        if how == "later" and self.tried[address] == 1:
            return "450 4.2.1 try again later"
        if how == "never":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        [address] = envelope.rcpt_tos
        how = address.partition(".")[0]
        if how == "content-later" and self.tried[address] == 1:
            return "451 4.3.0 try again later"
        if how == "content-never":
            return "554 5.6.0 not such a mail"
        self.accepted.append(message_from_bytes(envelope.original_content or b""))
        if how == "drop":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        if how == "slow":
            await self.release.wait()
        return "250 2.0.0 ok"

    def count(self, address: str) -> int:
        """How many mails this address has got."""
        return sum(parseaddr(str(message["To"]))[1] == address for message in self.accepted)


@contextlib.asynccontextmanager
async def scripted_relay() -> AsyncIterator[tuple[Script, int]]:
    script = Script()
    async with smtp_server(script, host="127.0.0.1", port=0) as port:
        try:
            yield script, port
        finally:
            script.release.set()


def settings_for(postgres: str, smtp_port: int, **changes: object) -> NotifySettings:
    """Fast waits, so that a test sees in seconds what takes minutes else."""
    defaults: dict[str, object] = {
        "postgres": postgres,
        "smtp": f"smtp://127.0.0.1:{smtp_port}",
        "notify_from": "Goodword <goodword@example.org>",
        "notify_address_grace_s": 0.3,
        "notify_retry_wait_s_min": 0.05,
        "notify_relay_wait_s_max": 0.5,
        "notify_poll_s": 0.05,
        "notify_recover_every_s": 0.1,
        "notify_answer_s_max": 5,
        "notify_acceptance_s_max": 5,
        "notify_mails_per_second_max": 10_000,
        "retry_wait_ms_max": 200,
        "retries_max": 200,
    }
    return NotifySettings.model_validate(defaults | changes)


@contextlib.asynccontextmanager
async def database_of(url: str) -> AsyncIterator[Database]:
    database = Database(url, application="test", connections_max=6)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


@contextlib.asynccontextmanager
async def running_sender(settings: NotifySettings) -> AsyncIterator[Sender]:
    async with database_of(settings.postgres) as database:
        sender = Sender(settings, database=database, clock=SystemClock(), metrics=Metrics("notify"))
        await sender.start()
        try:
            yield sender
        finally:
            await sender.stop()


def mail_to(partner: str, number: int = 0) -> Mail:
    """A mail for a lead that just qualified."""
    now_ms = SystemClock().now_ms()
    return Mail(
        fact=derived_uuid(now_ms, f"{partner}/{number}".encode()),
        kind="lead-qualified",
        programme=PROGRAMME,
        partner=partner,
        time_ms=now_ms,
        trace=TRACE,
        details=Details(customer="Cancity", lead="lead-1"),
    )


async def add_mail(database: Database, partner: str, *, number: int = 0, grace_ms: int = 0) -> Mail:
    mail = mail_to(partner, number)
    await store.add_mails(database, [mail], [], now_ms=SystemClock().now_ms(), grace_ms=grace_ms)
    return mail


async def add_partner(
    database: Database, partner: str, email: str | None, *, name: str | None = None, status: str = "active"
) -> None:
    entry = store.AddressEntry(
        programme=PROGRAMME, partner=partner, name=name or partner, email=email, language="en", status=status
    )
    await store.put_partners(database, [entry], now_ms=SystemClock().now_ms())


async def outcome_of(url: str, partner: str) -> tuple[str, str | None]:
    rows = [row for row in await asyncio.to_thread(reads.mails, url, limit=1000) if row["partner"] == partner]
    assert len(rows) == 1, rows
    return rows[0]["outcome"], rows[0]["reason"]


async def until(claim: Callable[[], bool | Awaitable[bool]], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until the claim holds; fail with its name at the deadline."""
    deadline = time.monotonic() + deadline_s
    while True:
        holds = claim()
        if await holds if isinstance(holds, Awaitable) else holds:
            return
        assert time.monotonic() < deadline, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(0.02)


async def until_settled(url: str) -> None:
    async def settled() -> bool:
        return await asyncio.to_thread(reads.undelivered, url) == 0

    await until(settled, "no mail pending or in hand")
