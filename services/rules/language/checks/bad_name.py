"""A name that cannot be one.

## What it does

Asks that ids of rewards, tiers, metrics, units and the programme are made of the characters that fit, are short
enough, and are not taken by the language.

## Why that is bad

Names become parts of account addresses, paths and decisions; a colon or a space in them would make two different
things look alike.

## Example

```yaml
metrics:
  tier: {count: deal.won}
```

## Instead

Use letters, digits, `-` and `_`; in metrics lower-case letters, digits and `_`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "bad-name"


def fault(name: str, of: str, wanted: str) -> Fault:
    return Fault(CODE, f"{quoted(name)} cannot be the name of {of}", wanted)


def taken(name: str, of: str) -> Fault:
    return Fault(CODE, f"{quoted(name)} cannot be the name of {of}: the language uses it itself", "choose another name")
