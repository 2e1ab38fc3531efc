"""What of the ledger reads the log, on a real Apache Kafka: reconciliation, verification by the bus, and standings.

What they find under other circumstances is tested on the log in PostgreSQL. The service itself reads and publishes;
faults are planted by the owner of the database, with its triggers off.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from pydantic import SecretStr
from typer.testing import CliRunner

from contracts.ids import transfer_id
from contracts.topics import DECISIONS, LEDGER
from goodword.cli import app
from runtime.bus.open import open_bus
from runtime.bus.port import Bus
from services.rewards.settings import GROUP, GROUP_ARCHIVE
from tests.integration.rewards.test_published import SEED, rewrite
from tests.integration.rewards.test_reconcile import DECISIONS_OF_ALL_KINDS, PLAIN, plant
from tests.integration.rewards.test_rewards_service import handled, read_all, record, running, until
from tests.integration.rewards.test_standings import are_known
from tests.support.decisions import decided
from tests.support.kafka import KafkaServer, without_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
MOVED = [
    decided(100 + n, partner=f"p{n % 5}", rule="tier", amount_minor=None, unit=None, tier_to=f"t{n}") for n in range(10)
]
LATE = decided(200)


async def serve(url: str, kafka: str, *decisions: Any) -> None:
    """The service posts them, and tells of everything."""
    async with running(url, kafka, rewards_signing_key=SecretStr(SEED), rewards_sign_every_s=0.05) as (_, bus):
        await bus.publish(DECISIONS.name, [record(each) for each in decisions])
        for group in (GROUP, GROUP_ARCHIVE):
            await until(handled(bus, group))
        await until(lambda: newest_is_told(url, bus))
        await until(lambda: are_known(url, bus))


async def newest_is_told(url: str, bus: Bus) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT max(number) FROM rewards.blocks), (SELECT max(block) FROM rewards.heads),"
            " (SELECT count(*) FROM rewards.outbox), (SELECT count(*) FROM rewards.transfers WHERE stage = 'expired')"
        ).fetchone()
    assert row is not None
    return row[0] == row[1] and row[2:] == (0, 1)


async def on_the_bus(kafka: str, *decisions: Any) -> int:
    """Put these there; how many records tell of the ledger."""
    bus = open_bus(kafka=kafka, postgres="", client="test")
    await bus.start()
    try:
        if decisions:
            await bus.publish(DECISIONS.name, [record(each) for each in decisions])
        return len(await read_all(bus, LEDGER.name))
    finally:
        await bus.close()


async def forget_beginning(kafka: str) -> None:
    """Kafka drops all decisions but the newest of each partition, as its retention would."""
    bus = open_bus(kafka=kafka, postgres="", client="test")
    await bus.start()
    ends = await bus.end_offsets(DECISIONS.name)
    await bus.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        places = {
            TopicPartition(DECISIONS.name, partition): RecordsToDelete(before_offset=end - 1)
            for partition, end in ends.items()
            if end
        }
        await admin.delete_records(places)
    finally:
        await admin.close()


@pytest.fixture
def stack(kafka_server: KafkaServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger whose service has posted decisions of all kinds from Kafka, and was stopped."""
    asyncio.run(without_topics(kafka_server.servers))
    asyncio.run(serve(postgres_url, kafka_server.servers, *DECISIONS_OF_ALL_KINDS, *MOVED, *PLAIN[:3]))
    monkeypatch.setenv("GOODWORD_POSTGRES", postgres_url)
    monkeypatch.setenv("GOODWORD_KAFKA", kafka_server.servers)
    monkeypatch.setenv("GOODWORD_REWARDS_SIGNING_KEY", SEED)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    return postgres_url


def asked(*words: str) -> tuple[int, dict[str, Any]]:
    """The command as anybody would give it; it runs an event loop of its own."""
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.stdout, told.output
    return told.exit_code, json.loads(told.stdout)


def test_the_log_on_kafka_is_what_the_ledger_is_held_against(stack: str, kafka_server: KafkaServer) -> None:
    code, answer = asked("ledger", "reconcile")
    assert (code, answer["findings"], answer["source"]) == (0, [], "log")
    assert (answer["decisions"], answer["repeats"]) == (len(DECISIONS_OF_ALL_KINDS) + len(MOVED), 3)
    code, answer = asked("ledger", "verify", "--bus")
    assert (code, answer["findings"]) == (0, [])
    assert answer["published"]["facts"] > 0 < answer["published"]["heads"]

    asyncio.run(on_the_bus(kafka_server.servers, LATE))
    code, answer = asked("ledger", "reconcile")
    assert (code, answer["by_bucket"]["unread"]) == (0, 1)

    other = transfer_id(PLAIN[2].id, "granted", 7)
    plant(
        stack,
        f"DELETE FROM rewards.transfers WHERE id = '{transfer_id(PLAIN[0].id, 'granted')}'",
        f"UPDATE rewards.transfers SET amount_minor = 1 WHERE id = '{transfer_id(PLAIN[1].id, 'granted')}'",
        "CREATE TEMP TABLE copied AS SELECT * FROM rewards.transfers"
        f" WHERE id = '{transfer_id(PLAIN[2].id, 'granted')}'",
        f"UPDATE copied SET id = '{other}', group_id = '{other}', decision_id = '{other}'",
        "INSERT INTO rewards.transfers SELECT * FROM copied",
    )
    code, answer = asked("ledger", "reconcile")
    named = {(each["kind"], each["transfer"] or each["decision"]) for each in answer["findings"]}
    assert (code, named) == (
        1,
        {("missing", PLAIN[0].id), ("different", transfer_id(PLAIN[1].id, "granted")), ("extra", other)},
    )


def test_a_rewritten_chain_and_a_lost_beginning_are_told(stack: str, kafka_server: KafkaServer) -> None:
    asyncio.run(forget_beginning(kafka_server.servers))
    code, answer = asked("ledger", "reconcile")
    assert (code, answer["findings"], answer["source"]) == (0, [], "archive and log")
    # Tiers that were not kept come back, from the archive and what is left of the log.
    with psycopg.connect(stack) as owner:
        owner.execute("TRUNCATE rewards.standings, rewards.standings_read")
    asyncio.run(serve(stack, kafka_server.servers, LATE))
    with psycopg.connect(stack) as owner:
        tiers: dict[str, str] = dict(owner.execute("SELECT partner, tier FROM rewards.standings").fetchall())
    assert tiers == {f"p{n}": f"t{n + 5}" for n in range(5)}

    rewrite(stack)
    code, answer = asked("ledger", "verify", "--bus")
    kinds = {each["kind"] for each in answer["findings"]}
    assert (code, {"published-differs", "row-altered"} <= kinds) == (1, True), kinds
