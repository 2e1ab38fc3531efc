"""Event types in rule files: which there are, and which the rules never see."""

from __future__ import annotations

from typing import Final

from contracts.events import EVENT_TYPES
from services.rules.language.checks import unknown_event_type
from services.rules.language.fields import texts_of
from services.rules.language.scope import Scope
from services.rules.language.source import Node

NOT_FOR_RULES: Final = ("click.recorded",)
"""Clicks stay on a topic of their own."""

RULE_EVENT_TYPES: Final = tuple(each for each in EVENT_TYPES if each not in NOT_FOR_RULES)
"""What rewards, metrics and tests can be on."""


TEST_EVENT_TYPES: Final = (*RULE_EVENT_TYPES, "clock.day_closed", "contest.closed")
"""What tests can let happen besides: that a day closes, and that the partner won a contest."""


def read_event_types(node: Node, scope: Scope, of: str) -> tuple[str, ...]:
    """One event type or a list, once each; nothing when one is unknown: then nobody knows what happens there."""
    known: list[str] = []
    errors_before = scope.problems.errors_count
    for text in texts_of(node, scope, of):
        if text.text in RULE_EVENT_TYPES:
            known.append(text.text)
        elif text.text in NOT_FOR_RULES:
            scope.add(text.span, unknown_event_type.not_for_rules(text.text))
        else:
            scope.add(text.span, unknown_event_type.fault(text.text, RULE_EVENT_TYPES))
    return tuple(dict.fromkeys(known)) if scope.problems.errors_count == errors_before else ()
