"""The mail relay: its URL, and one connection over which mails go one after the other.

Promises: `deliver` never raises for what the relay or the network do, it answers how far it came and what was
said last; a mail is handed over at most once per call. Which answer means what is `outcomes`' work.
"""

from __future__ import annotations

import contextlib
import socket
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import msgspec

from contracts.errors import PermanentError, Problem
from services.notify.addresses import is_international
from services.notify.outcomes import Answer, Stage

_PORTS: Final = {"smtp": 25, "smtps": 465}
_NO_SMTPUTF8: Final = Answer("envelope", 553, "5.6.7 the relay takes no addresses beyond ASCII (RFC 6531)")


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """Where mails go: `smtp://[user:password@]host[:port][?starttls=1]`, or `smtps://` for TLS from the start."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    is_tls: bool = False
    is_starttls: bool = False


def parse_relay(url: str) -> Relay:
    """Raises PermanentError `smtp-url`; its message never holds the password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in _PORTS:
        raise PermanentError(
            Problem(
                code="smtp-url",
                message="GOODWORD_SMTP is not the URL of a mail relay",
                where="GOODWORD_SMTP",
                help="write smtp://host:port, smtps://host:port, or smtp://user:password@host:587?starttls=1",
            )
        )
    return Relay(
        host=host,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        is_tls=parts.scheme == "smtps",
        is_starttls=parts.scheme == "smtp" and parse_qs(parts.query).get("starttls", ["0"])[-1] == "1",
    )


class RelayConnection:
    """One connection, opened on demand and kept for the next mail. Not for concurrent use.

    Attributes:
        stage: How far the delivery in hand has come; what a cancelled delivery is judged by.
    """

    def __init__(self, relay: Relay, *, answer_s_max: float, acceptance_s_max: float) -> None:
        self._relay = relay
        self._answer_s_max = answer_s_max
        self._acceptance_s_max = acceptance_s_max
        self._smtp: aiosmtplib.SMTP | None = None
        self.stage: Stage = "connect"

    async def deliver(self, message: EmailMessage, *, sender: str, recipient: str) -> Answer:
        """Hand one mail over; the relay's last answer and where it fell."""
        self.stage = "connect"
        try:
            smtp = await self._ready()
            self.stage = "envelope"
            content, options, encoding = message.as_bytes(), [], "ascii"
            if is_international(recipient):
                if not smtp.supports_extension("smtputf8"):
                    return _NO_SMTPUTF8
                content, options, encoding = message.as_bytes(policy=SMTPUTF8), ["SMTPUTF8", "BODY=8BITMIME"], "utf-8"
            await smtp.mail(sender, options=options, encoding=encoding)
            await smtp.rcpt(recipient, encoding=encoding)
            self.stage = "content"
            response = await smtp.data(content, timeout=self._acceptance_s_max)
        except aiosmtplib.SMTPResponseException as error:
            self.drop()
            # aiosmtplib marks an answer that is none, such as an endless line, with the code -1.
            return Answer(self.stage, error.code if error.code > 0 else None, error.message)
        except (aiosmtplib.SMTPException, OSError) as error:
            self.drop()
            return Answer(self.stage, None, f"{type(error).__name__}: {error}")
        return Answer(self.stage, response.code, response.message)

    def drop(self) -> None:
        """Cut the connection: after anything but success nobody knows what state it is in."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    async def close(self) -> None:
        """Say goodbye; the relay need not answer."""
        if self._smtp is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._smtp.quit(timeout=1)
            self.drop()

    async def _ready(self) -> aiosmtplib.SMTP:
        """The connection, fresh or proven alive: a relay closes idle ones, which is no mail's fault."""
        if self._smtp is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._smtp.rset()
                return self._smtp
            self.drop()
        smtp = aiosmtplib.SMTP(
            hostname=self._relay.host,
            port=self._relay.port,
            username=self._relay.user,
            password=self._relay.password,
            # The library would ask DNS for our full name, which can take seconds where there is none.
            local_hostname=_own_name(),
            timeout=self._answer_s_max,
            use_tls=self._relay.is_tls,
            start_tls=self._relay.is_starttls,
            validate_certs=True,
        )
        self._smtp = smtp
        await smtp.connect()
        if smtp.is_ehlo_or_helo_needed:
            try:
                await smtp.ehlo()
            except aiosmtplib.SMTPHeloError:
                await smtp.helo()
        return smtp


def _own_name() -> str:
    name = socket.gethostname()
    is_plain = name.isascii() and all(character.isalnum() or character in ".-" for character in name)
    return name if is_plain else "localhost"
