"""A percentage with more than four decimals.

## What it does

Counts the decimals of percentages.

## Why that is bad

Percentages are held in millionths; what is finer would be lost silently.

## Example

```yaml
give: {percent: 7.12345, of: deal.amount}
```

## Instead

Round it to four decimals: `7.1235`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "percent-decimals"


def fault(text: str, decimals_max: int) -> Fault:
    return Fault(CODE, f"{quoted(text)} has more than {decimals_max} decimals", "round it to four decimals")
