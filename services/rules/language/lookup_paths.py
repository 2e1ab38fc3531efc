"""What lookups of every kind share: the paths they look at, and whether every tier is covered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from contracts.ruleset import Given
from services.rules.language.checks import path_not_here, tier_not_covered, unknown_path, wrong_type
from services.rules.language.fields import Fields
from services.rules.language.paths import TYPE_WORDS, PathType, can_be_in, known_path
from services.rules.language.scope import Scope
from services.rules.language.source import Node, TextNode
from services.rules.language.words import nearest

ENTRIES_MAX: Final = 2_000
"""Rows or brackets of one lookup."""

ReadGiven = Callable[[Node], Given | None]
"""Reads one value of a lookup; what is wrong is noted."""


def text_path(node: TextNode, on: tuple[str, ...], scope: Scope) -> str | None:
    """The path to a text or attribute; whatever else it is, is noted."""
    type = type_of(node, on, scope)
    if type is None or type in ("text", "attribute"):
        return node.text if type is not None else None
    help = "such as tier or deal.product"
    if type in ("amount", "number"):
        help = "a number is looked up in brackets: from: {0: …, 100: …}"
    scope.add(node.span, wrong_type.path(node.text, TYPE_WORDS[type], "a text", help))
    return None


def type_of(node: TextNode, on: tuple[str, ...], scope: Scope) -> PathType | None:
    if node.text in scope.unread.metrics and known_path(node.text) is None:
        return None
    type = scope.type_of(node.text)
    if type is None:
        offset, length, fault = scope.explain_unknown(node.text)
        scope.add(node.part(offset, length), fault)
        return None
    if node.text == "tier" and scope.has_no_tiers():
        scope.add(node.span, unknown_path.no_tiers())
        return None
    if on and not any(can_be_in(node.text, each) for each in on):
        scope.add(node.span, path_not_here.never_in(node.text, on))
    return type


def check_tiers(named: set[str], fields: Fields, key: str, scope: Scope) -> None:
    # A misspelt tier is told where it stands, and the one that was meant is not missing.
    meant = {nearest(name, scope.tiers) for name in named if name not in scope.tiers}
    missing = [tier for tier in scope.tiers if tier not in named | meant]
    if missing:
        scope.add(fields.keys[key].span, tier_not_covered.fault(missing))
