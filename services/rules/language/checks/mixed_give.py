"""A lookup that gives a percentage for one value and an amount for another.

## What it does

Compares the kinds of all values of a lookup.

## Why that is bad

A ceiling, a sum or an explanation of such a rule would mean two things.

## Example

```yaml
give: {by: tier, values: {bronze: 5 USD, silver: {percent: 5, of: deal.amount}}}
```

## Instead

Make two rewards, each with its own `when`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "mixed-give"


def fault() -> Fault:
    return Fault(CODE, "one lookup gives either amounts or percentages", "make two rewards, each with its own when")
