"""An amount finer than its unit.

## What it does

Compares the decimals of an amount with those of its unit: two of USD, none of JPY and POINTS.

## Why that is bad

There is no tenth of a cent to pay; rounding it would pay something else than the file says.

## Example

```yaml
give: 1.005 USD
```

## Instead

Round the amount, or declare the unit with more `decimals`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "more-decimals-than-unit"


def fault(text: str, unit: str, decimals: int) -> Fault:
    has = {0: "no decimals", 1: "one decimal", 2: "two decimals"}.get(decimals, f"{decimals} decimals")
    return Fault(CODE, f"{quoted(text)} is finer than {unit}, which has {has}", "round the amount")
