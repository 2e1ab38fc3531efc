"""kill -9 of the sending process at random moments.

Fault: SIGKILL, again and again, while mails are going out; the relay keeps some mails a little before it answers,
so that kills fall on both sides of its acceptance. Promise: no partner gets a mail twice, and every mail is either
sent and there, or unknown and listed. Verdict: the relay's own list of Message-IDs against the table.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes

from aiosmtpd.smtp import SMTP, Envelope, Session

from goodword.mailsink.server import smtp_server
from services.notify import reads
from tests.integration.notify.support import (
    add_mail,
    add_partner,
    database_of,
    running_sender,
    settings_for,
    until,
    until_settled,
)

MAILS = 120
KILLS = 3


class PonderingRelay:
    """Accepts everything, some of it after a random while, before or after it is kept."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.accepted: Counter[str] = Counter()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        before, after = (self._rng.choice((0.0, 0.0, 0.03)) for _ in range(2))
        await asyncio.sleep(before)
        self.accepted[str(message_from_bytes(envelope.original_content or b"")["Message-ID"])] += 1
        await asyncio.sleep(after)
        return "250 2.0.0 ok"


async def test_a_killed_sender_sends_no_mail_twice_and_lists_what_it_does_not_know(notify_url: str, seed: int) -> None:
    rng = random.Random(seed)
    relay = PonderingRelay(rng)
    async with smtp_server(relay, host="127.0.0.1", port=0) as port, database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.someone@example.com")
        for number in range(MAILS):
            await add_mail(database, "ok", number=number)
        for _ in range(KILLS):
            async with killable_sender(notify_url, port) as process:
                seen = relay.accepted.total()

                # From the first mail it sends on, a random moment.
                def sends(seen: int = seen, process: asyncio.subprocess.Process = process) -> bool:
                    return relay.accepted.total() > seen or process.returncode is not None

                await until(sends, "the process sends")
                await asyncio.sleep(rng.uniform(0, 0.15))
        async with running_sender(settings_for(notify_url, port)):
            await until_settled(notify_url)

    rows = {f"<{row['fact']}.{row['kind']}@example.org>": row for row in reads.mails(notify_url, limit=10_000)}
    twice = {message: count for message, count in relay.accepted.items() if count > 1}
    by_outcome = Counter(row["outcome"] for row in rows.values())
    print(f"outcomes {dict(by_outcome)}")
    assert twice == {}
    assert len(rows) == MAILS
    assert set(by_outcome) <= {"sent", "unknown"}
    missing = [message for message, row in rows.items() if row["outcome"] == "sent" and not relay.accepted[message]]
    assert missing == []
    unlisted = [message for message in relay.accepted if rows[message]["outcome"] not in {"sent", "unknown"}]
    assert unlisted == []
    assert by_outcome["unknown"] <= KILLS * settings_for(notify_url, port).notify_connections_max


@asynccontextmanager
async def killable_sender(url: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A sending process that is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.notify.sender_process",
        url,
        str(port),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
        assert process.returncode is None, "it ended by itself"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
