"""An amount without a unit, a number with one, or an amount in a unit that cannot be compared.

## What it does

Checks the unit of literals against their path, and of `at_most`, limits and budgets against what is given.

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


def ceiling(what: str, unit: str, given: str) -> Fault:
    return Fault(CODE, f"{what} is in {unit}, what is given is {given}", "write both in the same unit")


def mark(unit: str, metric: str, metric_unit: str) -> Fault:
    return Fault(CODE, f"{metric} is summed in {metric_unit}, this is {unit}", f"write it in {metric_unit}")


def bracket(unit: str, other: str) -> Fault:
    return Fault(CODE, f"a bracket begins in {unit}, the one above it in {other}", "write all bounds in one currency")
