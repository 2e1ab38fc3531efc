"""A key that is a list or a mapping.

## What it does

Refuses YAML's complex keys.

## Why that is bad

No part of the language has such keys, so it is a slip of brackets.

## Example

```yaml
{[deal.won]: 50 USD}
```

## Instead

Write a plain name before the colon.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "key-not-text"


def fault() -> Fault:
    return Fault(CODE, "a key must be text", "write a plain name before the colon")
