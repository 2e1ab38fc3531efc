"""A metric that the file does not have.

## What it does

Compares the `metric` of milestones and of inactivity with the `metrics` section.

## Why that is bad

A milestone on a misspelt metric is never crossed.

## Example

```yaml
milestones:
  - {id: first-100k, metric: salse, at: 100_000 USD, give: 1_000 USD}
```

## Instead

Use the name that the message suggests, or add the metric.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, listed, quoted

CODE = "unknown-metric"


def fault(name: str, known: Sequence[str]) -> Fault:
    help = did_you_mean(name, known, f"there are {listed(known)}" if known else "this file has no metrics")
    return Fault(CODE, f"there is no metric {quoted(name)}", help)
