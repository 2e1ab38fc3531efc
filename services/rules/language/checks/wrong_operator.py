"""An operator that does not fit the type of its path.

## What it does

Checks the operator against the type in the catalogue of paths.

## Why that is bad

Whether one text is larger than another, or an amount starts with a letter, has no answer anybody relies on.

## Example

```yaml
when:
  - tier >= silver
```

## Instead

Use an operator that the message names: `tier in [silver, gold]`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import listed

CODE = "wrong-operator"


def fault(operator: str, path: str, type_words: str, fitting: tuple[str, ...]) -> Fault:
    return Fault(CODE, f"{operator} does not fit {path}, which is {type_words}", f"use {listed(fitting, 'or')}")


def for_tier(operator: str) -> Fault:
    return Fault(CODE, f"{operator} does not fit tier: tiers have no size", "name them: tier in [silver, gold]")
