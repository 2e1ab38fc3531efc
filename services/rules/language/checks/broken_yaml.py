"""Text that is not YAML.

## What it does

Reports the first place where the file stops being YAML. Nothing after it can be checked, so mend it and lint again.

## Why that is bad

A file that is not YAML says nothing for certain; guessing would pay by luck.

## Example

```yaml
rewards:
  - id: welcome
     on: deal.won
```

## Instead

Indent the keys of one mapping alike, use spaces and no tabs, and put texts with `: ` or ` #` in quotes.
"""

from __future__ import annotations

import re
from typing import Final

from services.rules.language.checks import list_in_flow_sequence
from services.rules.language.located import Fault
from services.rules.language.words import printable

CODE = "broken-yaml"


_MEANINGS: Final = (
    ("mapping values are not allowed", "a second colon on one line: put the text in quotes, or check the indentation"),
    ("cannot start any token", "a character that cannot stand here; indent with spaces, never with tabs"),
    ("expected <block end>", "check the indentation: the lines of one mapping or list begin in the same column"),
    ("did not find expected ',' or ']'", "close the list with ], and separate its items with commas"),
    ("did not find expected ',' or '}'", "close the mapping with }, and separate its entries with commas"),
    ("could not find expected ':'", "a key needs a colon and a space after it"),
    ("unexpected end of stream", "a quote is not closed"),
)
_LIST_IN_FLOW: Final = re.compile(r"\sin\s{1,8}\[")
_NEAR: Final = 500
"""How far around the place a line is looked at: files may be one line of a million characters."""


def fault(problem: str, context: str, line: str) -> Fault:
    """What the YAML parser said, with what usually is behind it."""
    said = printable(f"{context}: {problem}" if context else problem)
    for words, meaning in _MEANINGS:
        if words in problem:
            return Fault(CODE, f"this is not YAML: {said}", meaning)
    return Fault(CODE, f"this is not YAML: {said}", "mend this line, then lint again: the rest could not be read")


def not_unicode() -> Fault:
    return Fault(CODE, "this is not Unicode text", "save the file as UTF-8")


def bad_character() -> Fault:
    return Fault(CODE, "a control character cannot stand in a rule file", "remove it, and save the file as UTF-8")


def empty_file() -> Fault:
    return Fault(CODE, "the file is empty", "a rule set begins with schema: goodword/v1")


def list_in_flow_sequence_at(line: str, column: int) -> tuple[int, int] | None:
    """Column (from 0) and length of an `x in [ … ]` inside a `[ … ]`, when that is what broke the YAML."""
    for found in _LIST_IN_FLOW.finditer(line, max(0, column - _NEAR), column + _NEAR):
        before = line[: found.start()]
        begin = max(before.rfind(each) for each in "[]{},") + 1
        opened = sum(before.count(each) for each in "[{") - sum(before.count(each) for each in "]}")
        condition = line[begin : found.start()]
        if opened > 0 and condition.strip():
            start = begin + len(condition) - len(condition.lstrip())
            closing = line.find("]", found.end())
            end = closing + 1 if closing >= 0 else len(line.rstrip())
            return start, end - start
    return None


def list_in_flow_sequence_fault() -> Fault:
    return list_in_flow_sequence.fault()
