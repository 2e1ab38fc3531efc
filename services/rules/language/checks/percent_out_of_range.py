"""A percentage below 0 or above 100.

## What it does

Checks the range of percentages.

## Why that is bad

More than the whole deal is hardly ever meant; `0.5` and `50` are easily mixed up.

## Example

```yaml
give: {percent: 750, of: deal.amount}
```

## Instead

Write `7.5` for seven and a half percent.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "percent-out-of-range"


def fault(text: str) -> Fault:
    return Fault(CODE, f"{quoted(text)} is not between 0 and 100 percent", "7.5 is seven and a half percent")
