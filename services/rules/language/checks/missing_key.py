"""Something that must be said is missing.

## What it does

Reports a mapping without one of its required keys, or a key without a value.

## Why that is bad

A reward without `give`, or a programme without a currency, could only be guessed.

## Example

```yaml
- id: welcome
  on: deal.won
```

## Instead

Add the key: `give: 50 USD`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "missing-key"


def fault(key: str, of: str, help: str = "") -> Fault:
    return Fault(CODE, f"{of} needs {quoted(key)}", help or f"add {key}: …")


def without_value(key: str) -> Fault:
    return Fault(CODE, f"{quoted(key)} has no value", "write one after the colon, or remove the key")
