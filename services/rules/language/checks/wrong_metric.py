"""A metric whose parts do not fit together.

## What it does

Asks for exactly one of `sum`, `count`, `distinct` and `mean`, for `on` with all but `count`, and for `minus` only
with the sum of deal amounts.

## Why that is bad

What is to be counted, or when, would be a guess.

## Example

```yaml
metrics:
  sales: {sum: deal.amount}
```

## Instead

Say on which events: `{sum: deal.amount, on: deal.won}`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "wrong-metric"


def kinds(found: int) -> Fault:
    message = "a metric needs one of sum, count, distinct and mean" if found == 0 else "a metric does one thing only"
    return Fault(CODE, message, "such as {sum: deal.amount, on: deal.won}")


def without_on(kind: str) -> Fault:
    return Fault(CODE, f"{kind} needs the events it is taken on", "add on: deal.won")


def count_with_on() -> Fault:
    return Fault(CODE, "count names its events itself", "write {count: deal.won}, without on")


def minus() -> Fault:
    return Fault(
        CODE, "minus takes refunds off a sum of deal amounts", "use it as: sum: deal.amount, minus: deal.refunded"
    )
