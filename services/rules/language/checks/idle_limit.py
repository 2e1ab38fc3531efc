"""A limit that another one of the same reward makes idle.

## What it does

Compares limits of one reward that count the same: `20 per month` and `30 per month`.

## Why that is bad

One of the two numbers was to be different, or to be removed. The rule set loads all the same.

## Example

```yaml
limit: [20 per month, 30 per month]
```

## Instead

Keep the one that is meant.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "idle-limit"


def fault(text: str, other: str) -> Fault:
    return Fault(CODE, f"{quoted(text)} limits nothing beside {quoted(other)}", "keep the one that is meant", "warning")
