"""A tier that nobody stays in, because a later one asks for no more.

## What it does

Compares the bounds of each tier with those of the later ones.

## Why that is bad

The last tier whose `when` holds wins, so the earlier one is passed over by everybody.

## Example

```yaml
tiers:
  - id: bronze
  - id: silver
    when:
      - sales >= 300_000 USD
  - id: gold
    when:
      - sales >= 100_000 USD
```

## Instead

Order the tiers from the lowest to the highest.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "unreachable-tier"


def fault(name: str, later: str) -> Fault:
    return Fault(
        CODE,
        f"nobody stays in {quoted(name)}: whoever reaches it reaches {quoted(later)} too",
        "order the tiers from the lowest to the highest",
    )
