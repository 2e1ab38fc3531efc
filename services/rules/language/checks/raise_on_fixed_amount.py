"""A raise, or a negotiated percentage, on a reward that gives a fixed amount.

## What it does

Looks at what the reward gives.

## Why that is bad

Percentage points on 50 dollars mean nothing; the partner would be promised something that is never paid.

## Example

```yaml
rewards:
  - {id: welcome, on: deal.won, give: 50 USD}
milestones:
  - {id: trusted, metric: sales, at: 500_000 USD, raise: {rule: welcome, by: 1}}
```

## Instead

Raise a reward that gives a percentage, or give an amount at the milestone.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "raise-on-fixed-amount"


def fault(reward: str) -> Fault:
    return Fault(
        CODE, f"{quoted(reward)} gives a fixed amount, which has no percentage points", "give an amount instead"
    )


def negotiated(reward: str) -> Fault:
    return Fault(CODE, f"{quoted(reward)} gives a fixed amount, which has no percentage", f"set {reward}.give instead")
