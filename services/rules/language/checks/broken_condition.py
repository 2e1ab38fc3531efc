"""A condition that is not `path operator literal`.

## What it does

Splits each condition into its three parts and reports the one that is missing or too many.

## Why that is bad

What cannot be read cannot be judged.

## Example

```yaml
when:
  - deal.amount >=
```

## Instead

Write `deal.amount >= 500 USD`, one condition per line.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "broken-condition"


def fault(message: str, help: str = "write it as: path operator literal, such as deal.amount >= 500 USD") -> Fault:
    return Fault(CODE, message, help)
