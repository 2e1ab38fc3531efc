"""A time that ends before it begins.

## What it does

Compares `from` and `to`; both days are inside.

## Why that is bad

Nothing happens in it: the contest has no winner, the terms never apply.

## Example

```yaml
from: 2026-05-31
to: 2026-03-01
```

## Instead

Mend the year or the order.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "empty-period"


def fault(first: str, last: str) -> Fault:
    return Fault(CODE, f"{quoted(last)} is before {quoted(first)}", "mend the year, or the order")
