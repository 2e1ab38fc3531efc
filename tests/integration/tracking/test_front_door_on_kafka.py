"""The same front door on a real Apache Kafka: durable before the answer, 503 while the broker is away, then on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from contracts.topics import REFERRALS
from tests.integration.tracking.test_front_door_answers import event
from tests.integration.tracking.test_front_door_faults import send_until_taken
from tests.support.kafka import KafkaServer
from tests.support.tracking import ids_of, read_topic, tracking_process


@pytest.mark.kafka
async def test_events_are_in_kafka_when_they_are_answered(
    kafka_server: KafkaServer, postgres_url: str, valkey_url: str, tmp_path: Path
) -> None:
    with tracking_process(postgres_url, valkey_url, tmp_path, {"GOODWORD_KAFKA": kafka_server.servers}) as door:
        unique = str(time.time_ns())
        sent = [f"{unique}-{number}" for number in range(200)]
        assert (
            door.send([event(id, partner=f"p{number % 7}") for number, id in enumerate(sent)]).json()["accepted"] == 200
        )
        kafka_server.kill()
        try:
            answer = door.send(event(f"{unique}-away"))
            assert answer.status_code == 503, answer.text
            assert "retry-after" in answer.headers
        finally:
            kafka_server.start()
        assert send_until_taken(door, f"{unique}-away").json()["accepted"] == 1
        door.close()
    records = await read_topic(postgres_url, REFERRALS, kafka=kafka_server.servers)
    ids = [id for id in ids_of(records) if id.startswith(unique)]
    assert sorted({*ids}) == sorted([*sent, f"{unique}-away"])
    assert [ids.count(id) for id in sent] == [1] * 200
