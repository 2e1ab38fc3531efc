"""Brackets of a lookup that are not in order, or begin at the same bound.

## What it does

Compares each lower bound with the one above it, as values: `0 USD` and `0.00 USD` are one.

## Why that is bad

A bracket goes from its bound to the next one. Out of order, readers see other brackets than those that are paid.

## Example

```yaml
give:
  percent: {by: deal.amount, from: {0 USD: 5, 10_000 USD: 7, 5_000 USD: 6}}
  of: deal.amount
```

## Instead

Write the bounds from the lowest to the highest, each once.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "overlapping-brackets"


def fault(bound: str, before: str) -> Fault:
    return Fault(
        CODE,
        f"the bracket from {quoted(bound)} overlaps the one from {quoted(before)} above it",
        "write the bounds from the lowest to the highest, each once",
    )
