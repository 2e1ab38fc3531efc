"""Walking a mapping: which keys it may have, must have, and does not have yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from services.rules.language.checks import (
    bad_name,
    file_over_limit,
    missing_key,
    unknown_key,
    wrong_shape,
)
from services.rules.language.scope import Scope
from services.rules.language.source import ListNode, MapNode, Node, TextNode
from services.rules.language.words import is_slip, nearest

NAME_LENGTH_MAX: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
NAME_HELP: Final = f"use letters, digits, - and _; at most {NAME_LENGTH_MAX} characters"


def shape_of(node: Node) -> str:
    if isinstance(node, TextNode):
        return "empty" if node.is_nothing else "a text"
    return "a list" if isinstance(node, ListNode) else "a mapping"


class Fields:
    """The entries of one mapping that its section knows.

    A misspelt key is noted and then read as the one that was meant, so that neither the absence of that one is told
    nor what would follow from it.

    Args:
        of: What the mapping is, for messages: `a reward`.
        known: The keys it may have.

    Attributes:
        keys: The known key to how it is written.
        has_unknown: Whether there is a key of which nobody knows what it means.
    """

    def __init__(self, node: MapNode, scope: Scope, of: str, known: Sequence[str]) -> None:
        self._scope = scope
        self._of = of
        self.node = node
        self.keys: dict[str, TextNode] = {}
        self.has_unknown = False
        self._values: dict[str, Node] = {}
        written = {key.text for key, _ in node.entries}
        for key, value in node.entries:
            name: str | None = key.text
            if key.text not in known:
                guess = nearest(key.text, (each for each in known if each not in written))
                scope.add(key.span, unknown_key.fault(key.text, of, known, guess))
                name = guess if guess is not None and is_slip(key.text, guess) else None
                self.has_unknown = self.has_unknown or name is None
            if name is None or name in self.keys:
                continue
            self.keys[name] = key
            if isinstance(value, TextNode) and value.is_nothing:
                scope.add(key.span, missing_key.without_value(key.text))
            else:
                self._values[name] = value

    def get(self, key: str) -> Node | None:
        return self._values.get(key)

    def require(self, key: str, help: str = "") -> Node | None:
        """The value; its absence is noted, once, at the mapping."""
        if key not in self.keys:
            self._scope.add(self.node.span, missing_key.fault(key, self._of, help))
        return self._values.get(key)

    def text(self, key: str) -> TextNode | None:
        """The value as text, if it is there; another shape is noted."""
        node = self._values.get(key)
        return None if node is None else expect_text(node, self._scope, f'"{key}"')

    def require_text(self, key: str, help: str = "") -> TextNode | None:
        self.require(key, help)
        return self.text(key)


def expect_text(node: Node, scope: Scope, of: str) -> TextNode | None:
    if isinstance(node, TextNode) and not node.is_nothing:
        return node
    scope.add(node.span, wrong_shape.fault(of, "a text", shape_of(node)))
    return None


def expect_list(node: Node, scope: Scope, of: str, help: str = "") -> ListNode | None:
    if isinstance(node, ListNode):
        return node
    scope.add(node.span, wrong_shape.fault(of, "a list", shape_of(node), help))
    return None


def limited(node: ListNode | None, scope: Scope, of: str, count_max: int) -> tuple[Node, ...]:
    """The items of a list; none of them, with the reason noted, when there are too many."""
    items = node.items if node is not None else ()
    if len(items) > count_max:
        scope.add(items[count_max].span, file_over_limit.too_many(of, count_max))
        return ()
    return items


def limited_entries(node: MapNode | None, scope: Scope, of: str, count_max: int) -> tuple[tuple[TextNode, Node], ...]:
    """As `limited`, of a mapping."""
    entries = node.entries if node is not None else ()
    if len(entries) > count_max:
        scope.add(entries[count_max][0].span, file_over_limit.too_many(of, count_max))
        return ()
    return entries


def expect_map(node: Node, scope: Scope, of: str, help: str = "") -> MapNode | None:
    if isinstance(node, MapNode):
        return node
    scope.add(node.span, wrong_shape.fault(of, "a mapping", shape_of(node), help))
    return None


def texts_of(node: Node, scope: Scope, of: str) -> list[TextNode]:
    """One text, or a list of texts."""
    items = node.items if isinstance(node, ListNode) else (node,)
    if not items:
        scope.add(node.span, wrong_shape.fault(of, "a text or a list of texts", "an empty list"))
    read = [expect_text(item, scope, of) for item in items]
    return [each for each in read if each is not None]


def check_name(node: TextNode, scope: Scope, of: str) -> bool:
    """Whether the text can be the id of a reward, tier or test; noted when not."""
    if _NAME.fullmatch(node.text) and len(node.text) <= NAME_LENGTH_MAX:
        return True
    scope.add(node.span, bad_name.fault(node.text, of, NAME_HELP))
    return False
