"""A rule file's text as a tree whose every node knows its place, made from YAML without making any object.

The tree is built from the parser's events: scalars stay the text that was written (`NO` is Norway), tags and
anchors are refused, so nothing can be constructed or expanded, and size, depth and count are bounded while
reading. A file that breaks a limit or the YAML grammar yields one problem; duplicate keys are told one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from services.rules.language.checks import (
    anchor_or_alias,
    broken_yaml,
    duplicate_key,
    file_over_limit,
    hidden_character,
    key_not_text,
    several_documents,
    yaml_tag,
)
from services.rules.language.located import Problems, Span

FILE_BYTES_MAX: Final = 1_000_000
NESTING_MAX: Final = 32
"""Levels of YAML; eight levels of conditions need about twenty."""
NODES_MAX: Final = 50_000
"""A reward takes about 25: room for two thousand of them."""
SCALAR_LENGTH_MAX: Final = 4_096

LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML 1.1 takes for the end of a line, so that our excerpts count as the parser does."""

HIDDEN: Final = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069]|(?!^)\ufeff")
"""What makes a line look like another one than it is; joiners (U+200C, U+200D) stay: some scripts need them."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class TextNode:
    """A scalar.

    Attributes:
        text: As written, quotes and escapes of YAML undone.
        span: With its quotes, on the first line it stands on.
        is_verbatim: Whether the characters of `text` stand in the file one for one from `start`.
        start: The column of the first character of `text`.
        is_plain: Written without YAML quotes.
    """

    text: str
    span: Span
    is_verbatim: bool
    start: int
    is_plain: bool

    @property
    def is_nothing(self) -> bool:
        """A key without a value."""
        return self.is_plain and not self.text

    def part(self, offset: int, length: int) -> Span:
        """The span of some characters of the text; the whole scalar when it is folded or escaped."""
        if not self.is_verbatim:
            return self.span
        return Span(self.span.line, self.start + offset, max(length, 1))


@dataclass(frozen=True, slots=True)
class ListNode:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping in file order; of a duplicate key the first one stays."""

    entries: tuple[tuple[TextNode, Node], ...]
    span: Span


Node = TextNode | ListNode | MapNode


class _Refused(Exception):
    """The file cannot be read further; the problem is already noted."""


def parse_source(text: str, problems: Problems) -> Node | None:
    """The tree of one YAML document, or None with the reason among the problems."""
    start = Span(1, 1, 1)
    try:
        encoded_length = len(text.encode())
    except UnicodeEncodeError as error:
        problems.add(_span_at(text, error.start), broken_yaml.not_unicode())
        return None
    if encoded_length > FILE_BYTES_MAX:
        problems.add(start, file_over_limit.too_large(encoded_length, FILE_BYTES_MAX))
        return None
    hidden = HIDDEN.search(text)
    if hidden is not None:
        problems.add(_span_at(text, hidden.start()), hidden_character.fault(hidden.group()))
        return None
    try:
        root = _TreeBuilder(LINE_BREAK.split(text), problems).build(yaml.parse(text, Loader=_Loader))
    except _Refused:
        return None
    except yaml.reader.ReaderError as error:
        offset = len(text.encode()[: error.position].decode(errors="ignore"))
        problems.add(_span_at(text, offset), broken_yaml.bad_character())
        return None
    except yaml.MarkedYAMLError as error:
        _note_broken_yaml(error, LINE_BREAK.split(text), problems)
        return None
    if root is None:
        problems.add(start, broken_yaml.empty_file())
    return root


def _span_at(text: str, offset: int) -> Span:
    lines = LINE_BREAK.split(text[:offset])
    return Span(len(lines), len(lines[-1]) + 1, 1)


def _note_broken_yaml(error: yaml.MarkedYAMLError, lines: list[str], problems: Problems) -> None:
    # Of a quote that is never closed the parser finds the end of the file: its beginning is what has to be mended.
    is_open_quote = "quoted scalar" in (error.context or "")
    mark = (error.context_mark if is_open_quote else None) or error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    column = mark.column if mark else 0
    # At the end of the file the parser points after the last line: point at the last thing written instead.
    while line > 0 and (line >= len(lines) or not lines[line].strip()):
        line -= 1
        column = len(lines[line].rstrip())
    written = lines[line] if line < len(lines) else ""
    column = min(column, len(written))
    in_list = broken_yaml.list_in_flow_sequence_at(written, column)
    if in_list is not None:
        problems.add(Span(line + 1, in_list[0] + 1, in_list[1]), broken_yaml.list_in_flow_sequence_fault())
        return
    problems.add(Span(line + 1, column + 1, 1), broken_yaml.fault(error.problem or "", error.context or "", written))


class _Open:
    """A collection that has begun; for a mapping, `key` is the key that waits for its value."""

    def __init__(self, event: Any, *, is_map: bool) -> None:
        self.event = event
        self.is_map = is_map
        self.items: list[Node] = []
        self.entries: list[tuple[TextNode, Node]] = []
        self.first_lines: dict[str, int] = {}
        self.key: TextNode | None = None
        self.skips_value = False


class _TreeBuilder:
    """Turns parser events into nodes with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, lines: list[str], problems: Problems) -> None:
        self._lines = lines
        self._problems = problems
        self._stack: list[_Open] = []
        self._nodes_count = 0
        self._documents_count = 0
        self._root: Node | None = None

    def build(self, events: Any) -> Node | None:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._check(event)
                self._place(self._text_node(event))
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._check(event)
                self._open(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._close(event)
            elif isinstance(event, yaml.AliasEvent):
                self._refuse(event, anchor_or_alias.fault())
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents_count += 1
                if self._documents_count > 1:
                    self._refuse(event, several_documents.fault())
        return self._root

    def _check(self, event: Any) -> None:
        self._nodes_count += 1
        if self._nodes_count > NODES_MAX:
            self._refuse(event, file_over_limit.too_many_nodes(NODES_MAX))
        if event.anchor is not None:
            self._refuse(event, anchor_or_alias.fault())
        if event.tag is not None:
            self._refuse(event, yaml_tag.fault())

    def _refuse(self, event: Any, fault: Any) -> None:
        self._problems.add(self._span(event.start_mark, event.end_mark), fault)
        raise _Refused

    def _open(self, event: Any) -> None:
        if len(self._stack) >= NESTING_MAX:
            self._refuse(event, file_over_limit.too_deep(NESTING_MAX))
        self._stack.append(_Open(event, is_map=isinstance(event, yaml.MappingStartEvent)))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        span = self._span(done.event.start_mark, event.end_mark)
        self._place(MapNode(tuple(done.entries), span) if done.is_map else ListNode(tuple(done.items), span))

    def _place(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if not parent.is_map:
            parent.items.append(node)
        elif parent.key is None:
            self._take_key(parent, node)
        else:
            if not parent.skips_value:
                parent.entries.append((parent.key, node))
            parent.key, parent.skips_value = None, False

    def _take_key(self, parent: _Open, node: Node) -> None:
        if not isinstance(node, TextNode):
            self._problems.add(node.span, key_not_text.fault())
            raise _Refused
        parent.key = node
        if node.text in parent.first_lines:
            self._problems.add(node.span, duplicate_key.fault(node.text, parent.first_lines[node.text]))
            parent.skips_value = True
        else:
            parent.first_lines[node.text] = node.span.line

    def _text_node(self, event: Any) -> TextNode:
        text: str = event.value
        if len(text) > SCALAR_LENGTH_MAX:
            self._refuse(event, file_over_limit.too_long_text(SCALAR_LENGTH_MAX))
        is_plain = not event.style
        mark = event.start_mark
        start = mark.column + (0 if is_plain else 1)
        line = self._lines[mark.line] if mark.line < len(self._lines) else ""
        return TextNode(
            text=text,
            span=self._span(mark, event.end_mark),
            is_verbatim=event.style not in ("|", ">") and line.startswith(text, start),
            start=start + 1,
            is_plain=is_plain,
        )

    def _span(self, start: Any, end: Any) -> Span:
        if end.line == start.line:
            length = end.column - start.column
        else:
            line = self._lines[start.line] if start.line < len(self._lines) else ""
            length = len(line.rstrip()) - start.column
        return Span(start.line + 1, start.column + 1, max(length, 1))
