"""A reward for customers that depends on a number of the partner.

## What it does

Warns when `to: customer` stands beside a condition on a metric that is counted per partner, or brackets by one.

## Why that is bad

What a customer gets then depends on what others bought, which no customer can understand. The rule set loads all
the same.

## Example

```yaml
- id: welcome-credit
  on: deal.won
  to: customer
  when:
    - wins == 0
  give: 100 USD
```

## Instead

Count per customer: `wins: {count: deal.won, per: customer}`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "customer-reward-on-partner-metric"


def fault(metric: str) -> Fault:
    return Fault(
        CODE,
        f"what a customer gets depends on {quoted(metric)}, which is counted over all customers of the partner",
        "count it with per: customer",
        "warning",
    )
