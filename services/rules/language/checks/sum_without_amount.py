"""A sum or mean of something that is not a number.

## What it does

Checks the path of `sum` and `mean`: an amount, or a number of the event.

## Why that is bad

Texts have no sum.

## Example

```yaml
metrics:
  products: {sum: deal.product, on: deal.won}
```

## Instead

Sum `deal.amount`, or use `distinct: deal.product` to count different ones.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "sum-without-amount"


def fault(kind: str, path: str, type_words: str) -> Fault:
    return Fault(
        CODE,
        f"{kind} needs an amount or a number, {path} is {type_words}",
        f"to count different ones: distinct: {path}",
    )
