"""A later tier without a `when`.

## What it does

Looks at all tiers but the first.

## Why that is bad

Everybody would be in it at once, and the tiers before it would be empty.

## Example

```yaml
tiers:
  - id: bronze
  - id: silver
```

## Instead

Say when a partner reaches it.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "tier-without-when"


def fault(name: str) -> Fault:
    return Fault(CODE, f"the tier {quoted(name)} does not say when it is reached", "add when: with a condition")
