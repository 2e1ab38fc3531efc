"""An amount without a unit, a number with one, or an amount in a unit that cannot be compared.

## What it does

Checks the unit of literals against their path, and of `at_most` against what is given.

## Why that is bad

500 dollars, 500 cents and 500 points are three things; only currencies convert into one another.

## Example

```yaml
when:
  - deal.amount >= 500
```

## Instead

Write the unit: `500 USD`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "wrong-unit"


def missing(text: str, path: str, unit: str) -> Fault:
    return Fault(CODE, f"{path} is an amount, {quoted(text)} has no unit", f"write it with its unit: {text} {unit}")


def unneeded(text: str, path: str) -> Fault:
    return Fault(CODE, f"{path} is a number without unit, {quoted(text)} has one", "leave the unit away")


def not_comparable(unit: str, path: str, currency: str) -> Fault:
    return Fault(
        CODE,
        f"{path} is money and cannot be compared with {unit}",
        f"write an amount in a currency, such as {currency}",
    )


def ceiling(unit: str, given: str) -> Fault:
    return Fault(CODE, f"at_most is in {unit}, what is given is {given}", "write both in the same unit")
