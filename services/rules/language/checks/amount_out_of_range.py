"""An amount or number that is too large, zero or negative where that makes no sense.

## What it does

Keeps amounts within 64 bits of minor units, and what is given above zero.

## Why that is bad

A reward of nothing is always denied, and one below zero would take money from a partner without a reason they can
see.

## Example

```yaml
give: 0 USD
```

## Instead

Write an amount above zero, or remove the reward.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "amount-out-of-range"


def too_large(text: str) -> Fault:
    return Fault(CODE, f"{quoted(text)} is too large", "the largest amount is 2^63 - 1 minor units")


def not_positive(text: str) -> Fault:
    return Fault(CODE, f"{quoted(text)} must be above zero", "write an amount above zero, or remove the rule")
