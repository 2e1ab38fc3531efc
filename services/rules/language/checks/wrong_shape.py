"""A list, a mapping or a text where another of these belongs.

## What it does

Compares the shape of each value with what its key takes.

## Why that is bad

The value cannot be read as what it is meant for.

## Example

```yaml
rewards:
  welcome: 50 USD
```

## Instead

Write the shape that the message names; a list is written with dashes or as `[a, b]`, a mapping as `key: value`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "wrong-shape"


def fault(of: str, wanted: str, found: str, help: str = "") -> Fault:
    return Fault(CODE, f"{of} must be {wanted}, this is {found}", help)
