"""The example programme on the rows it was written for: every tier is reached, every reward granted and denied."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from contracts.events import Event, EventData, parse_time_ms
from services.rules.fold import Fold
from tests.support.crm import FOLDER, real_events
from tests.support.data import require_data_folder
from tests.support.rules import Store, activation

PROGRAMME = Path(__file__).parents[3] / "examples" / "crm-pipeline" / "programme.yaml"
RULES = ("qualified.lead", "commission", "busy-quarter", "central-push", "welcome-credit")
"""A lead that does not qualify is denied as `qualified.lead`; the reward for it is then not even considered."""


def test_every_tier_is_reached_and_every_reward_granted_and_denied() -> None:
    text = PROGRAMME.read_text(encoding="utf-8")
    events = [
        Event(
            type=raw["type"],
            source=raw["source"],
            id=raw["id"],
            time_ms=parse_time_ms(raw["time"]),
            data=msgspec.convert(raw["data"], EventData),
        )
        for raw in real_events(require_data_folder(FOLDER))
    ]
    activated = activation(text, effective_from_ms=parse_time_ms("2016-01-01T00:00:00Z"), programme="crm-sales")
    result = Store().run(Fold(0), [activated, *events])
    assert result.rejected == []

    verdicts = Counter((decision.rule, decision.granted) for decision in result.decisions)
    assert [(rule, granted) for rule in RULES for granted in (True, False) if not verdicts[rule, granted]] == []
    assert verdicts["qualified-lead", True] == verdicts["qualified.lead", True]

    tiers = {event.data.partner: "bronze" for event in events}
    for decision in result.decisions:
        if decision.rule == "tier" and decision.granted:
            tiers[decision.partner] = decision.tier_to or ""
    assert Counter(tiers.values()).keys() == {"bronze", "silver", "gold"}
    assert len(tiers) == 30

    reasons = Counter(decision.reason.partition(": ")[0] for decision in result.decisions if not decision.granted)
    assert reasons["eligible.customer"] > 0
    assert reasons["qualified.deal"] > 0
    assert any(decision.rule == "commission" and decision.clamped_minor for decision in result.decisions)
    paid = {decision.tier for decision in result.decisions if decision.rule == "commission" and decision.granted}
    assert paid == {"bronze", "silver", "gold"}
