"""Names of what makes decisions: one namespace for rewards, milestones, contests and inactivity."""

from __future__ import annotations

from typing import Final

from contracts.decisions import RULE_EVENT, RULE_LEAD_QUALIFIED, RULE_METRIC, RULE_TIER
from services.rules.language.checks import bad_name, duplicate_id
from services.rules.language.fields import check_name
from services.rules.language.scope import Scope
from services.rules.language.source import TextNode
from services.rules.language.words import with_article

RESERVED_IDS: Final = frozenset({RULE_EVENT, RULE_METRIC, RULE_TIER, RULE_LEAD_QUALIFIED})


def take_name(id: TextNode | None, kind: str, scope: Scope) -> bool:
    """Whether the name is free and can be one; it is taken from then on. What is wrong is noted."""
    if id is None:
        scope.unread.rules.add_any()
        return False
    if id.text in RESERVED_IDS:
        scope.add(id.span, bad_name.taken(id.text, with_article(kind)))
        return False
    if not check_name(id, scope, with_article(kind)):
        scope.unread.rules.add(id.text)
        return False
    if id.text in scope.rules:
        other, span = scope.rules[id.text]
        scope.add(id.span, duplicate_id.fault(id.text, other, span.line))
        return False
    scope.rules[id.text] = (kind, id.span)
    return True


def note_unread(id: str, errors_before: int, scope: Scope) -> None:
    """Let nothing that refers to a rule be judged by it, when errors were noted since it was begun."""
    if scope.problems.errors_count > errors_before:
        scope.unread.rules.add(id)
