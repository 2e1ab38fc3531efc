from __future__ import annotations

import json

import pytest

from contracts.events import EventData
from contracts.topics import TOPICS, Topic
from runtime.bus.asyncapi import app


@pytest.fixture(scope="module")
def document() -> dict:
    return json.loads(app.schema.to_specification().to_json())


def test_the_document_names_every_topic_and_no_other(document: dict) -> None:
    assert document["asyncapi"].startswith("3.")
    assert set(document["channels"]) == {topic.name for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_its_payload_from_contracts(document: dict, topic: Topic) -> None:
    payload = document["components"]["schemas"][f"{topic.name}:Message:Payload"]
    assert payload["type"] == "object"
    assert "programme" in payload["properties"]
    assert "$ref" not in json.dumps(payload)


def test_the_event_payload_has_every_field_of_the_event(document: dict) -> None:
    payload = document["components"]["schemas"]["goodword.referrals:Message:Payload"]
    assert set(payload["properties"]) == set(EventData.__struct_fields__)
