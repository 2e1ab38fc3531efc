"""The sender against a real relay that refuses, drops, stalls and goes away, over a real PostgreSQL."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from goodword.embedded.postgres import PostgresServer
from goodword.mailsink.server import smtp_server
from runtime.clock import SystemClock
from services.notify import reads, store
from services.notify.identity import Identity
from tests.integration.notify.support import (
    TRACE,
    Script,
    add_mail,
    add_partner,
    database_of,
    outcome_of,
    running_sender,
    scripted_relay,
    settings_for,
    until,
    until_settled,
)

# What the relay does, what becomes of the mail, a word of the reason, and how many mails the partner got.
BEHAVIOURS = [
    ("ok", "sent", None, 1),
    ("later", "sent", None, 1),
    ("never", "failed", "550 5.1.1 no such user", 0),
    ("content-later", "sent", None, 1),
    ("content-never", "failed", "554 5.6.0", 0),
    ("drop", "unknown", "after DATA", 1),
    ("slow", "unknown", "after DATA", 1),
]


async def test_each_answer_of_the_relay_has_its_outcome_and_nobody_gets_a_mail_twice(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        for how, *_ in BEHAVIOURS:
            await add_partner(database, how, f"{how}.someone@example.com")
            await add_mail(database, how)
        async with running_sender(settings_for(notify_url, port, notify_acceptance_s_max=1)):
            await until_settled(notify_url)
            for how, outcome, reason, count in BEHAVIOURS:
                assert await outcome_of(notify_url, how) == (outcome, reason and Has(reason)), how
                assert script.count(f"{how}.someone@example.com") == count, how
    unknown = await asyncio.to_thread(reads.mails, notify_url, outcome="unknown")
    assert {row["partner"] for row in unknown} == {"drop", "slow"}
    assert (await asyncio.to_thread(reads.counts, notify_url))["unknown"] == 2


async def test_an_unknown_mail_is_not_sent_again_by_the_next_process(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "drop", "drop.someone@example.com")
        await add_mail(database, "drop")
        for _ in range(2):
            async with running_sender(settings_for(notify_url, port)):
                await until_settled(notify_url)
        assert script.count("drop.someone@example.com") == 1


async def test_mails_wait_for_a_relay_that_is_away_and_lose_no_patience(notify_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.someone@example.com")
        await add_mail(database, "ok")
        settings = settings_for(notify_url, port)
        async with running_sender(settings):

            async def was_tried() -> bool:
                outcome, reason = await outcome_of(notify_url, "ok")
                return outcome == "pending" and "connecting to the relay" in (reason or "")

            await until(was_tried, "a first try")
            script = Script()
            async with smtp_server(script, host="127.0.0.1", port=port):
                await until_settled(notify_url)
        [row] = reads.mails(notify_url)
        assert (row["outcome"], row["attempts"]) == ("sent", 1)
        assert script.count("ok.someone@example.com") == 1


async def test_a_mail_put_off_for_too_long_has_failed(notify_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.someone@example.com")
        await add_mail(database, "ok")
    async with running_sender(settings_for(notify_url, port, notify_give_up_hours=0.00001)):
        await until_settled(notify_url)
    assert await outcome_of(notify_url, "ok") == ("failed", Has("connecting to the relay"))


async def test_a_mail_says_what_happened_and_carries_its_trace(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.moses@example.com", name="Moses Frase")
        mail = await add_mail(database, "ok")
        async with running_sender(settings_for(notify_url, port)):
            await until_settled(notify_url)
        [message] = script.accepted
        assert message["Message-ID"] == f"<{mail.fact}.lead-qualified@example.org>"
        assert message["X-Goodword-Trace"] == TRACE
        assert message["To"] == "Moses Frase <ok.moses@example.com>"
        assert message["Subject"] == "Your lead for Cancity qualified"
        assert [part.get_content_type() for part in message.walk()] == [
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]


async def test_a_name_with_line_breaks_adds_no_header_and_no_recipient(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(
            database,
            "ok",
            "ok.moses@example.com",
            name="Moses\r\nBcc: evil@example.com\r\n\r\n<script>alert(1)</script>",
        )
        await add_mail(database, "ok")
        async with running_sender(settings_for(notify_url, port)):
            await until_settled(notify_url)
        [message] = script.accepted
        assert message["Bcc"] is None
        assert set(script.tried) == {"ok.moses@example.com"}
        html: Any = message.get_payload()[1]  # type: ignore[index] # of two parts
        assert b"<script>" not in html.get_payload(decode=True)


async def test_an_international_address_is_sent_to_with_smtputf8(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.łukasz@bücher.example", name="Łukasz")
        await add_mail(database, "ok")
        async with running_sender(settings_for(notify_url, port)):
            await until_settled(notify_url)
        assert script.tried == {"ok.łukasz@xn--bcher-kva.example": 1}
        assert await outcome_of(notify_url, "ok") == ("sent", None)


async def test_a_mail_waits_for_its_address_but_not_for_ever(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_mail(database, "nobody", grace_ms=200)
        await add_mail(database, "late", grace_ms=60_000)
        await add_partner(database, "unusable", "not an address")
        await add_mail(database, "unusable", grace_ms=200)
        async with running_sender(settings_for(notify_url, port)):

            async def is_given_up() -> bool:
                return (await outcome_of(notify_url, "nobody"))[0] == "no-address"

            await until(is_given_up, "the grace is over")
            assert (await outcome_of(notify_url, "late"))[0] == "pending"
            await add_partner(database, "late", "ok.late@example.com")
            await until_settled(notify_url)
        assert (await outcome_of(notify_url, "unusable"))[0] == "no-address"
        assert script.count("ok.late@example.com") == 1


async def test_a_suspended_partner_is_not_written_to(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "gone", "ok.gone@example.com", status="suspended")
        await add_mail(database, "gone")
        async with running_sender(settings_for(notify_url, port)):
            await until_settled(notify_url)
        assert await outcome_of(notify_url, "gone") == ("suppressed", "the partner is suspended")
        assert script.accepted == []


async def test_senders_share_the_work_and_leave_each_others_mails_alone(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "slow", "slow.someone@example.com")
        await add_partner(database, "ok", "ok.someone@example.com")
        await add_mail(database, "slow")
        settings = settings_for(notify_url, port, notify_acceptance_s_max=60)
        async with running_sender(settings), running_sender(settings):
            await until(lambda: len(script.accepted) == 1, "the slow mail is in hand of one of them")
            for number in range(60):
                await add_mail(database, "ok", number=number)
            await until(lambda: script.count("ok.someone@example.com") == 60, "all others sent")
            # Both have looked for dead processes many times by now.
            assert await outcome_of(notify_url, "slow") == ("sending", None)
            script.release.set()
            await until_settled(notify_url)
        assert await outcome_of(notify_url, "slow") == ("sent", None)
        assert (len(script.accepted), reads.counts(notify_url)["sent"]) == (61, 61)


async def test_what_a_dead_process_had_in_hand_becomes_unknown(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.someone@example.com")
        await add_mail(database, "ok")
        dead = Identity(notify_url)
        await dead.take()
        await store.claim(database, sender=dead.number, now_ms=SystemClock().now_ms(), count_max=1)
        await dead.leave()
        async with running_sender(settings_for(notify_url, port)):
            await until_settled(notify_url)
        assert await outcome_of(notify_url, "ok") == ("unknown", Has("the sending process ended"))
        assert script.accepted == []


async def test_a_claim_whose_answer_was_lost_is_given_back(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "ok", "ok.someone@example.com")
        async with running_sender(settings_for(notify_url, port)) as sender:
            await add_mail(database, "ok", grace_ms=0)
            await until_settled(notify_url)
            # As the server sees it: this sender has claimed a mail; the sender never heard of it.
            lost = await add_mail(database, "ok", number=1)
            await database.fetch_all(
                "UPDATE notify.mails SET state = 'sending', claimed_by = %(n)s WHERE fact_id = %(fact)s RETURNING 1",
                {"n": sender._identity.number, "fact": lost.fact},
            )
            await until_settled(notify_url)
        assert script.count("ok.someone@example.com") == 2
        assert reads.counts(notify_url)["sent"] == 2


async def test_stopping_finishes_mails_in_hand_and_tells_of_those_it_cut_off(notify_url: str) -> None:
    async with scripted_relay() as (script, port), database_of(notify_url) as database:
        await add_partner(database, "slow", "slow.someone@example.com")
        await add_mail(database, "slow")
        async with running_sender(settings_for(notify_url, port, notify_stop_s_max=0.2)):
            await until(lambda: len(script.accepted) == 1, "in hand")
        assert await outcome_of(notify_url, "slow") == ("unknown", Has("the service stopped"))


async def test_outcomes_survive_a_power_cut_of_postgresql(notify_url: str, postgres_server: PostgresServer) -> None:
    async with scripted_relay() as (script, port):
        async with database_of(notify_url) as database:
            await add_partner(database, "slow", "slow.someone@example.com")
            await add_partner(database, "ok", "ok.someone@example.com")
            await add_mail(database, "slow")
        async with running_sender(settings_for(notify_url, port, notify_acceptance_s_max=60)):
            await until(lambda: len(script.accepted) == 1, "in hand")
            await asyncio.to_thread(postgres_server.kill)
            script.release.set()
            await asyncio.to_thread(postgres_server.start)
            await until_settled(notify_url)
            async with database_of(notify_url) as database:
                await add_mail(database, "ok")
            await until_settled(notify_url)
        assert await outcome_of(notify_url, "slow") == ("sent", None)
        assert reads.counts(notify_url)["sent"] == 2
        assert len(script.accepted) == 2


class Has:
    """Equal to every text that has this in it."""

    def __init__(self, part: str) -> None:
        self.part = part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.part in other

    def __hash__(self) -> int:
        return hash(self.part)

    def __repr__(self) -> str:
        return f"…{self.part}…"
