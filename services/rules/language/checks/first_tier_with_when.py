"""A first tier with a `when`.

## What it does

Looks at the first of the tiers.

## Why that is bad

The first tier is where everyone starts; a condition on it would leave partners without a tier.

## Example

```yaml
tiers:
  - id: bronze
    when:
      - sales_12m >= 100 USD
```

## Instead

Leave the `when` of the first tier away.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "first-tier-with-when"


def fault() -> Fault:
    return Fault(CODE, "the first tier is where everyone starts, it has no when", "remove this when")
