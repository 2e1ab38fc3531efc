"""Two things of one kind with the same name.

## What it does

Reports the second reward, tier or test of a name.

## Why that is bad

Decisions name the rule that made them; two rules of one name could not be told apart, and one would be paid instead
of both.

## Example

```yaml
rewards:
  - {id: welcome, on: deal.won, give: 5 USD}
  - {id: welcome, on: lead.qualified, give: 50 USD}
```

## Instead

Give each its own name.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "duplicate-id"


def fault(name: str, of: str, first_line: int) -> Fault:
    return Fault(CODE, f"there is already a {of} {quoted(name)}, on line {first_line}", "give each its own name")
