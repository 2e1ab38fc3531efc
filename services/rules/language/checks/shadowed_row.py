"""A row of a lookup that is never used, because rows before it take everything.

## What it does

Compares each row with the ones above it, `any` included, and `otherwise` with a row of nothing but `any`.

## Why that is bad

The first row that matches wins. What stands below a wider one was written to be paid, and is not.

## Example

```yaml
give:
  percent: {by: [tier, deal.product], rows: [[gold, any, 9], [gold, GTX Pro, 12]], otherwise: 5}
  of: deal.amount
```

## Instead

Put the narrower row first: `[gold, GTX Pro, 12]`, then `[gold, any, 9]`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "shadowed-row"


def fault(line: int) -> Fault:
    return Fault(
        CODE, f"this row is never used: the one on line {line} takes all it could", "put the narrower row first"
    )


def otherwise(line: int) -> Fault:
    return Fault(
        CODE, f"otherwise is never used: the row on line {line} takes everything", "remove it, or that row", "warning"
    )
