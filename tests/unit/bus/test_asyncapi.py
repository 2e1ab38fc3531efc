from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.events import EventData
from contracts.facts import LedgerHead, RewardNotice, TransferPosted
from contracts.topics import TOPICS, Topic
from runtime.bus.asyncapi import app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(app.schema.to_specification().to_json()))


def test_the_document_names_every_topic_and_no_other(document: dict[str, Any]) -> None:
    assert document["asyncapi"].startswith("3.")
    assert set(document["channels"]) == {topic.name for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_its_payload_from_contracts(document: dict[str, Any], topic: Topic) -> None:
    payload = document["components"]["schemas"][f"{topic.name}:Message:Payload"]
    for one in payload.get("oneOf", [payload]):
        assert one["type"] == "object"
        # All but the head of the ledger's chain, which is of no programme.
        assert {"programme", "public_key"} & set(one["properties"])
    assert "$ref" not in json.dumps(payload)


def test_the_ledgers_payload_is_a_transfer_a_notice_or_a_head(document: dict[str, Any]) -> None:
    payload = document["components"]["schemas"]["goodword.ledger:Message:Payload"]
    assert [set(one["properties"]) for one in payload["oneOf"]] == [
        set(TransferPosted.__struct_fields__),
        set(RewardNotice.__struct_fields__),
        set(LedgerHead.__struct_fields__),
    ]


def test_the_event_payload_has_every_field_of_the_event(document: dict[str, Any]) -> None:
    payload = document["components"]["schemas"]["goodword.referrals:Message:Payload"]
    assert set(payload["properties"]) == set(EventData.__struct_fields__)
