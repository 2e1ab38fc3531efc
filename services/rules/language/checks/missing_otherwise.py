"""A lookup that can miss and has no `otherwise`.

## What it does

Asks for `otherwise` in every lookup, except one by tier that has all tiers, rows that take everything, and brackets
that begin at 0.

## Why that is bad

For a value that is not in the list the rule would have no answer.

## Example

```yaml
give: {percent: {by: deal.product, values: {GTX Pro: 8}}, of: deal.amount}
```

## Instead

Add `otherwise: 5`, or `otherwise: 0` if the others get nothing.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "missing-otherwise"


def fault(by: str) -> Fault:
    return Fault(CODE, f"{by} can have other values than these", "say what they get: otherwise: …")


def below(bound: str) -> Fault:
    return Fault(CODE, f"the lookup says nothing below {bound}", "begin the brackets at 0, or add otherwise: …")
