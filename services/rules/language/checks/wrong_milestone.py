"""A milestone whose parts do not fit together.

## What it does

Asks for exactly one of `at` and `every`, for exactly one of `give` and `raise`, and for a metric without a window that
is not counted per customer.

## Why that is bad

A number that falls again when days pass has no mark that is crossed once.

## Example

```yaml
metrics:
  sales_12m: {sum: deal.amount, on: deal.won, over: 12 months}
milestones:
  - {id: first-100k, metric: sales_12m, at: 100_000 USD, give: 1_000 USD}
```

## Instead

Use a metric without `over` and without `per`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "wrong-milestone"


def marks(found: int) -> Fault:
    return Fault(
        CODE, "a milestone has one of at and every" if found else "a milestone needs at or every", "at: 100_000 USD"
    )


def gifts(found: int) -> Fault:
    message = "a milestone has one of give and raise" if found else "a milestone needs give or raise"
    return Fault(CODE, message, "give: 1_000 USD, or raise: {rule: commission, by: 1}")


def window(metric: str) -> Fault:
    help = "use a metric without over"
    return Fault(CODE, f"{quoted(metric)} has a window, so it falls again; a milestone is crossed once", help)


def per_customer(metric: str, of: str = "a milestone") -> Fault:
    return Fault(CODE, f"{quoted(metric)} is counted per customer, {of} is the partner's", "use a metric per partner")
