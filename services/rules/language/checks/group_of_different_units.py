"""A group whose rewards give different units.

## What it does

Compares the units of all that the rewards of a group give; a percentage gives money.

## Why that is bad

The highest of 100 dollars and 500 points cannot be told.

## Example

```yaml
units: {POINTS: {}}
rewards:
  - {id: a, on: deal.won, give: 100 USD}
  - {id: b, on: deal.won, give: 500 POINTS}
groups:
  welcome: {rewards: [a, b], pick: highest}
```

## Instead

Group rewards of one unit.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import listed, quoted

CODE = "group-of-different-units"


def fault(group: str, units: list[str]) -> Fault:
    return Fault(
        CODE,
        f"the rewards of {quoted(group)} give {listed(units)}; which of them is highest cannot be told",
        "group rewards of one unit",
    )
