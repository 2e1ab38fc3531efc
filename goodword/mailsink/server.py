"""The sink's process: one SMTP server (aiosmtpd) and one page (uvicorn) over one box."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session

from goodword.mailsink.box import MailBox
from goodword.mailsink.page import build
from runtime import log
from runtime.clock import Clock, SystemClock

MAILS_MAX: Final = 5_000
MAIL_BYTES_MAX: Final = 10 * 1024 * 1024

logger = log.get(__name__)


class SinkHandler:
    """aiosmtpd's hooks: the mail is kept before the sender hears that it is accepted."""

    def __init__(self, box: MailBox, clock: Clock) -> None:
        self._box = box
        self._clock = clock

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.original_content or b""
        try:
            mail = self._box.put(
                received_at_ms=self._clock.now_ms(),
                sender=envelope.mail_from or "",
                recipients=list(envelope.rcpt_tos),
                raw=content,
            )
        except OSError as error:
            logger.exception("mail not kept", reason=str(error))
            return "452 4.3.1 the sink cannot write its file"
        logger.info("mail kept", number=mail.number, size_bytes=len(content))
        return f"250 2.0.0 kept as {mail.number}"


@contextlib.asynccontextmanager
async def smtp_server(handler: Any, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve SMTP in this event loop with a handler of aiosmtpd; yields the port. Port 0 takes a free one."""

    def connection() -> SMTP:
        return SMTP(
            handler,
            hostname="goodword-mailsink",
            data_size_limit=MAIL_BYTES_MAX,
            enable_SMTPUTF8=True,
            decode_data=False,
        )

    server = await asyncio.get_running_loop().create_server(connection, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


async def run(
    *, host: str, smtp_port: int, http_port: int, data: Path, mails_max: int = MAILS_MAX, clock: Clock | None = None
) -> int:
    """Run the sink until SIGTERM or SIGINT. Returns the exit code: 1 when a port is taken or the folder is no good."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        box = MailBox(data, mails_max=mails_max)
    except OSError as error:
        return _failed(f"the sink cannot use its folder {data}: {error}")
    try:
        # Bound here, because uvicorn ends the whole process when it cannot listen.
        listener = socket.create_server((host, http_port))
    except OSError as error:
        box.close()
        return _failed(f"the page cannot listen on {host}:{http_port}: {error}")
    page = _Server(uvicorn.Config(build(box), log_config=None, access_log=False, server_header=False))
    try:
        async with smtp_server(SinkHandler(box, clock or SystemClock()), host=host, port=smtp_port) as port:
            logger.info("mail sink started", host=host, smtp_port=port, http_port=http_port, kept=len(box))
            serving = asyncio.create_task(page.serve(sockets=[listener]))
            await stopping.wait()
            page.should_exit = True
            await serving
    except OSError as error:
        return _failed(f"the sink cannot listen on {host}:{smtp_port}: {error}")
    finally:
        listener.close()
        box.close()
    return 0


def _failed(reason: str) -> int:
    logger.error("the mail sink cannot run", reason=reason)
    return 1
