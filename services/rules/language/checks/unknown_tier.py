"""A tier that the file does not have.

## What it does

Looks up the tiers named in conditions and in lookups by tier.

## Why that is bad

A partner can never be in it, so what depends on it never applies.

## Example

```yaml
give: {by: tier, values: {bronze: 5 USD, platinum: 9 USD}}
```

## Instead

Use one of the tiers of the file.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, listed, quoted

CODE = "unknown-tier"


def fault(name: str, known: Sequence[str]) -> Fault:
    there_are = f"there are {listed(known)}" if known else "this programme has no tiers"
    return Fault(CODE, f"there is no tier {quoted(name)}", did_you_mean(name, known, there_are))
