"""Two rewards that differ in nothing but their name.

## What it does

Compares what rewards are on, whom they pay, when and what.

## Why that is bad

Both pay, so each event is rewarded twice; nearly always one was copied and not yet changed.

## Example

```yaml
rewards:
  - {id: welcome, on: deal.won, give: 5 USD}
  - {id: hello, on: deal.won, give: 5 USD}
```

## Instead

Remove one, or change what was to be different.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "duplicate-rule"


def fault(name: str, other: str, other_line: int) -> Fault:
    return Fault(
        CODE,
        f"{quoted(name)} gives the same for the same as {quoted(other)} on line {other_line}; both would pay",
        "remove one, or change what was to be different",
    )
