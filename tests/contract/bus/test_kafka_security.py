"""Kafka over TLS with SASL, by the settings alone, on a real broker: every client of the adapter is let in, or says why
it is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from contracts.topics import Topic
from runtime.bus.open import bus_of
from runtime.bus.port import BusUnavailable, Record
from runtime.outages import refusal_of
from runtime.settings import Settings
from tests.contract.bus.owners import Recorder, eventually
from tests.support.kafka import SecuredKafka, kafka_or_skip, make_secured_kafka

pytestmark = [pytest.mark.kafka]


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredKafka]:
    with kafka_or_skip(make_secured_kafka) as server:
        yield server


@pytest.fixture
def environment(secured: SecuredKafka, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("GOODWORD_KAFKA", secured.secured_servers)
    monkeypatch.setenv("GOODWORD_KAFKA_TLS", "true")
    monkeypatch.setenv("GOODWORD_KAFKA_TLS_CA", str(secured.ca_file))
    monkeypatch.setenv("GOODWORD_KAFKA_SASL", "PLAIN")
    monkeypatch.setenv("GOODWORD_KAFKA_USER", secured.USER)
    monkeypatch.setenv("GOODWORD_KAFKA_PASSWORD", secured.PASSWORD)
    return monkeypatch


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_the_settings_reach_every_client(environment: pytest.MonkeyPatch, mechanism: str) -> None:
    environment.setenv("GOODWORD_KAFKA_SASL", mechanism)
    name = f"t.{uuid.uuid4().hex}"
    bus = bus_of(Settings(), client="test")
    await bus.start()
    await bus.ensure_topics([Topic(name, "k", (), ())], 1)
    await bus.publish(name, [Record(b"k", b"1"), Record(b"k", b"2")])
    recorder = Recorder()
    subscription = await bus.subscribe(name, "g", recorder, batch_records_max=10, batch_bytes_max=1_000_000)
    await eventually("both came", lambda: recorder.count == 2)
    await subscription.close()
    assert await bus.end_offsets(name) == await bus.committed(name, "g") == {0: 2}
    read = [one async for part in bus.read(name, 0, start=0, end=2, batch_records_max=10) for one in part]
    assert [one.value for one in read] == [b"1", b"2"]
    await bus.close()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GOODWORD_KAFKA_PASSWORD", "wrong", "Authentication failed"),
        ("GOODWORD_KAFKA_TLS_CA", "", "certificate verify failed"),
    ],
)
async def test_a_refusal_is_told_from_an_outage(
    environment: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    environment.setenv(variable, value)
    bus = bus_of(Settings(), client="test")
    with pytest.raises(BusUnavailable) as error:
        await bus.start()
    refusal = refusal_of(error.value)
    assert refusal is not None
    assert words in refusal.message
    await bus.close()
