"""A group that picks nothing.

## What it does

Asks for at least two rewards in a group, and for each reward in one group at most.

## Why that is bad

A group of one picks that one always; of two groups that share a reward, one would overrule the other.

## Example

```yaml
groups:
  welcome: {rewards: [welcome-credit], pick: highest}
```

## Instead

Name all rewards of which one event gives only one, or remove the group.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "wrong-group"


def too_small(group: str) -> Fault:
    return Fault(
        CODE, f"{quoted(group)} has fewer than two rewards to pick from", "name another one, or remove the group"
    )


def in_another(reward: str, group: str) -> Fault:
    return Fault(CODE, f"{quoted(reward)} is in the group {quoted(group)} already", "keep it in one of them")
