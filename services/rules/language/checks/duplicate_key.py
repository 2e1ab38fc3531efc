"""The same key twice in one mapping.

## What it does

Reports the second one.

## Why that is bad

YAML readers silently keep one of the two, and which one decides what is paid.

## Example

```yaml
- id: commission
  on: deal.won
  on: deal.renewed
```

## Instead

Keep one, or use a list: `on: [deal.won, deal.renewed]`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "duplicate-key"


def fault(key: str, first_line: int) -> Fault:
    return Fault(CODE, f"{quoted(key)} is already there, on line {first_line}", "keep one of the two")
