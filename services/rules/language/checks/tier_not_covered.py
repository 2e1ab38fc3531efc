"""A lookup by tier that misses a tier.

## What it does

Compares the values of a lookup with the tiers, where there is no `otherwise`.

## Why that is bad

Partners of that tier would get nothing, without a reason in the file.

## Example

```yaml
give: {by: tier, values: {bronze: 5 USD, silver: 7 USD}}
```

## Instead

Add the tier, or say what the others get with `otherwise`.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import listed

CODE = "tier-not-covered"


def fault(missing: Sequence[str]) -> Fault:
    return Fault(
        CODE,
        f"the lookup says nothing for {listed(missing)}",
        "add a value for it, or say what all others get: otherwise: …",
    )
