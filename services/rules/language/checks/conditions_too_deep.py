"""Conditions nested deeper than eight levels.

## What it does

Counts the levels of `all`, `any` and `not`.

## Why that is bad

Nobody can tell what they mean, and a trace could not show it.

## Example

```yaml
not: {not: {not: {not: {not: {not: {not: {not: {not: tier == gold}}}}}}}}
```

## Instead

Split the reward into several, each with its own `when`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "conditions-too-deep"


def fault(depth_max: int) -> Fault:
    return Fault(CODE, f"conditions are nested deeper than {depth_max} levels", "split the rule into several")
