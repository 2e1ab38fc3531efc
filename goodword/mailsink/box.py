"""The mails the sink keeps: the last N in memory and, one JSON object a line, in a file.

Promises: `put` returns when the operating system has the line, so a killed process loses nothing (a power cut may);
a line that a kill tore is dropped at the next start; the file never grows past twice what is kept.
"""

from __future__ import annotations

from collections import deque
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

import msgspec

FILE_NAME: Final = "mails.ndjson"


class KeptMail(msgspec.Struct, frozen=True):
    """A mail as it came: envelope and bytes."""

    number: int
    received_at_ms: int
    sender: str
    recipients: list[str]
    raw: bytes

    def message(self) -> EmailMessage:
        message = message_from_bytes(self.raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message


class Summary(msgspec.Struct, frozen=True, omit_defaults=False):
    """What lists show of a mail; header values are decoded text."""

    number: int
    received_at_ms: int
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    trace_id: str


class MailBox:
    """Mails by number, from 1; numbers go on after a restart. One process at a time."""

    def __init__(self, folder: Path, *, mails_max: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE_NAME
        self._mails_max = mails_max
        self._mails: deque[KeptMail] = deque(maxlen=mails_max)
        self._lines = 0
        self._next_number = 1
        self._read()
        self._out = self._file.open("ab")

    def put(self, *, received_at_ms: int, sender: str, recipients: list[str], raw: bytes) -> KeptMail:
        """Keep a mail. Raises OSError when the disk is full; then it is not kept."""
        mail = KeptMail(self._next_number, received_at_ms, sender, recipients, raw)
        if self._lines >= 2 * self._mails_max:
            self._compact()
        start = self._out.tell()
        try:
            self._out.write(_line(mail))
            self._out.flush()
        except OSError:
            self._out.truncate(start)
            raise
        self._lines += 1
        self._next_number += 1
        self._mails.append(mail)
        return mail

    def newest(self, limit: int) -> list[KeptMail]:
        """The last ones, newest first."""
        return [mail for _, mail in zip(range(limit), reversed(self._mails), strict=False)]

    def get(self, number: int) -> KeptMail | None:
        """None when it never came or is not kept any more."""
        if not self._mails or not self._mails[0].number <= number <= self._mails[-1].number:
            return None
        return self._mails[number - self._mails[0].number]

    def __len__(self) -> int:
        return len(self._mails)

    def close(self) -> None:
        self._out.close()

    def _read(self) -> None:
        if not self._file.exists():
            return
        whole = 0
        with self._file.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    mail = msgspec.json.decode(line, type=KeptMail)
                except msgspec.MsgspecError:
                    break
                whole += len(line)
                self._lines += 1
                self._mails.append(mail)
                self._next_number = mail.number + 1
        if whole < self._file.stat().st_size:
            with self._file.open("r+b") as file:
                file.truncate(whole)

    def _compact(self) -> None:
        """Write the kept ones to a new file and put it in the old one's place, so that a kill leaves either."""
        fresh = self._file.with_suffix(".new")
        with fresh.open("wb") as out:
            out.writelines(_line(mail) for mail in self._mails)
        self._out.close()
        fresh.replace(self._file)
        self._out = self._file.open("ab")
        self._lines = len(self._mails)


def summary_of(mail: KeptMail) -> Summary:
    """The list entry; a header that cannot be read shows as empty, for the sink takes whatever comes."""
    message = mail.message()
    return Summary(
        number=mail.number,
        received_at_ms=mail.received_at_ms,
        sender=mail.sender,
        recipients=mail.recipients,
        subject=header_of(message, "Subject"),
        message_id=header_of(message, "Message-ID"),
        trace_id=header_of(message, "X-Goodword-Trace"),
    )


def header_of(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (MessageError, ValueError, IndexError, AttributeError):
        return ""


def part_of(mail: KeptMail, subtype: str) -> str | None:
    """The text of the mail's `plain` or `html` part, or None when it has none that can be read."""
    try:
        part = mail.message().get_body((subtype,))
        if part is None:
            return None
        content = part.get_content()
    except (MessageError, ValueError, LookupError, AttributeError):
        return None
    return content if isinstance(content, str) else None


def _line(mail: KeptMail) -> bytes:
    return msgspec.json.encode(mail) + b"\n"
