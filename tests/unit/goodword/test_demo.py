"""The demo: the same anchor gives the same bytes, its programme is sound, and the door would take every event."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

import msgspec

from goodword.demo.events import LINK_CODE, PROGRAMME, demo_events, last_deal_won
from goodword.importing.batches import Batch
from goodword.importing.checking import check_batch
from services.rules.language import lint_text, read_rule_set

ANCHOR = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_same_anchor_gives_the_same_bytes() -> None:
    assert msgspec.json.encode(demo_events(ANCHOR)) == msgspec.json.encode(demo_events(ANCHOR))


def test_the_door_would_take_every_event() -> None:
    lines = [msgspec.json.encode(event) for event in demo_events(ANCHOR)]
    answer = check_batch(Batch(lines, [("demo", number) for number in range(len(lines))]))
    assert (answer.accepted, answer.rejected) == (len(lines), [])


def test_the_programme_is_without_fault_and_in_force_before_the_events() -> None:
    text = (files("goodword.demo") / "programme.yaml").read_text(encoding="utf-8")
    assert lint_text(text, "programme.yaml") == []
    rules = read_rule_set(text, path="programme.yaml")
    assert rules.programme == PROGRAMME
    assert rules.effective_from_ms is not None
    assert rules.effective_from_ms < ANCHOR.timestamp() * 1000


def test_ids_are_unlike_and_some_leads_come_by_the_link() -> None:
    events = demo_events(ANCHOR)
    assert len({event["id"] for event in events}) == len(events)
    by_link = [event for event in events if event["data"].get("referral_code") == LINK_CODE]
    assert by_link
    assert all("partner" not in event["data"] for event in by_link)
    assert last_deal_won(events) in {event["id"] for event in events}
