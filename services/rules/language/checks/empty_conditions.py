"""A list of conditions without any.

## What it does

Reports `[]` where conditions belong.

## Why that is bad

It holds always for `all` and never for `any`; nobody can see which was meant.

## Example

```yaml
when: []
```

## Instead

Remove it, or write a condition.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "empty-conditions"


def fault() -> Fault:
    return Fault(CODE, "there is no condition in this list", "remove it, or write a condition")
