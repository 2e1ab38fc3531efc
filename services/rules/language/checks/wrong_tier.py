"""A tier whose parts do not fit together.

## What it does

Asks for `when` only without `by`, for `price` only beside `by: choice`, and for neither of them at the first tier.

## Why that is bad

Whether metrics or people decide who is in it would be a guess.

## Example

```yaml
tiers:
  - id: bronze
  - id: gold
    by: hand
    when:
      - sales >= 100_000 USD
```

## Instead

Keep `when` or `by`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "wrong-tier"


def first() -> Fault:
    return Fault(CODE, "the first tier is where everyone starts, so nobody is put there or chooses it", "remove by")


def both() -> Fault:
    return Fault(CODE, "a tier is reached by its when, or by hand or choice", "keep one of when and by")


def price() -> Fault:
    return Fault(CODE, "only a tier that partners choose has a price", "add by: choice, or remove price")
