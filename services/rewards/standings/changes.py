"""Which tier each partner of some decisions is in after them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from contracts.decisions import RULE_TIER
from services.rewards.decode import DecisionHead, is_decision_id


class Change(NamedTuple):
    """The newest change of a partner's tier, and where it stands in its partition of the log."""

    programme: str
    partner: str
    tier: str
    decision: str
    offset: int


def newest_changes(decisions: Iterable[tuple[int, DecisionHead]]) -> list[Change]:
    """Of decisions with their offsets, in order: the last change of each partner, by programme and partner."""
    newest: dict[tuple[str, str], Change] = {}
    for offset, head in decisions:
        tier = tier_after(head)
        if tier is not None:
            change = Change(head.programme, head.partner, tier, head.id, offset)
            newest[head.programme, head.partner] = change
    return [newest[key] for key in sorted(newest)]


def tier_after(head: DecisionHead) -> str | None:
    """The tier that a decision moves its partner to; None when it moves nobody, or cannot have come from the rules."""
    if head.rule != RULE_TIER or not head.granted or head.tier_to is None or not is_decision_id(head.id):
        return None
    return None if "\0" in head.programme + head.partner + head.tier_to else head.tier_to
