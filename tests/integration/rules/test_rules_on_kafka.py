"""The exactly-once loop on a real Apache Kafka: two processes share its partitions and take over from each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from contracts.topics import TOPICS
from runtime.bus.open import open_bus
from runtime.bus.port import Bus
from services.rules.store import StateStore
from tests.integration.rules.conftest import PARTITIONS
from tests.integration.rules.harness import Start, assert_undisturbed, drained, send
from tests.support.kafka import KafkaServer, without_topics

pytestmark = pytest.mark.kafka


@pytest.fixture
async def bus(kafka_server: KafkaServer, postgres_url: str) -> AsyncIterator[Bus]:
    """Kafka in the place of the log in PostgreSQL, without what other tests have left in its topics."""
    await without_topics(kafka_server.servers)
    made = open_bus(kafka=kafka_server.servers, postgres=postgres_url, client="test")
    await made.start()
    await made.ensure_topics(TOPICS, PARTITIONS)
    yield made
    await made.close()


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("published")
async def test_two_processes_on_kafka_share_and_take_over_from_each_other(
    start: Start, bus: Bus, store: StateStore, kafka_server: KafkaServer
) -> None:
    on_kafka = {"GOODWORD_KAFKA": kafka_server.servers, "GOODWORD_BATCH_RECORDS_MAX": "50"}
    first = start(**on_kafka)
    await first.ready()
    await send(bus, 0, 1_000)
    second = start(**on_kafka)
    await second.ready()
    await send(bus, 1_000, 2_000)
    first.kill()
    await send(bus, 2_000, 3_000)
    third = start(**on_kafka)
    await third.ready()
    await drained(bus, store, seconds=180)
    assert await second.stop() == 0
    await send(bus, 3_000, 4_000)
    await drained(bus, store, seconds=180)
    await assert_undisturbed(bus, store)
    assert await third.stop() == 0
