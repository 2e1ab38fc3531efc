"""A list in a condition that is not `[a, b]`.

## What it does

Reads the literal of `in` and `not in`.

## Why that is bad

A list without its brackets is a text that nothing equals.

## Example

```yaml
when:
  - customer.country in US, CA
```

## Instead

Write `customer.country in [US, CA]`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "broken-list"


def fault(text: str) -> Fault:
    return Fault(CODE, f"{quoted(text)} is not a list", "write it in brackets, with commas: [US, CA]")


def empty_item() -> Fault:
    return Fault(CODE, "the list has an empty item, or none", "write at least one item, and one after each comma")


def unneeded(operator: str) -> Fault:
    return Fault(CODE, f"{operator} compares with one value, not with a list", "use in or not in with a list")
