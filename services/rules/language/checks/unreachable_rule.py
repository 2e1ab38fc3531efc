"""A reward that can never be given, because of what stands elsewhere in the file.

## What it does

Compares the conditions of a reward with those of `eligible` and `qualified` that are asked of its events too, and the
fixed amounts of a group: a reward that another one always outbids is never picked.

## Why that is bad

Each part alone looks right, and the partner never gets the reward.

## Example

```yaml
qualified:
  deal:
    - deal.amount >= 500 USD
rewards:
  - id: small-deal
    on: deal.won
    when:
      - deal.amount < 500 USD
    give: 5 USD
```

## Instead

Mend one of the two conditions, or remove the reward.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "unreachable-rule"


def fault(reward: str, condition: str, part: str) -> Fault:
    return Fault(
        CODE,
        f"{quoted(reward)} is never given: {part} asks for {quoted(condition)}",
        "mend one of the two, or remove the reward",
    )


def outbid(reward: str, other: str, group: str) -> Fault:
    return Fault(
        CODE,
        f"{quoted(reward)} is never given: the group {quoted(group)} always picks {quoted(other)}",
        "give more, or mend the conditions",
    )
