"""A value that cannot be read as what its place takes.

## What it does

Reads amounts, percentages, durations, windows, dates, numbers and whole numbers, strictly.

## Why that is bad

Reading `1,000` as 1 or as 1000 is a difference of a thousandfold.

## Example

```yaml
give: 1,000 USD
```

## Instead

Amounts are `1_000.50 USD`, percentages `7.5`, durations `30 days`, windows `12 months` or `this quarter`, dates
`2026-03-01`, times `2026-03-01T09:00:00`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "unreadable-value"


def fault(text: str, wanted: str, help: str) -> Fault:
    return Fault(CODE, f"{quoted(text)} is not {wanted}", help)
