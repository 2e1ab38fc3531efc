"""A path that has no value where it is used.

## What it does

Tiers are also reviewed when there is no event, so their conditions read partners and metrics only; a path of
surveys or activities has a value only in their own events, one of deals only in events of deals and leads.

## Why that is bad

The condition could never be met, so the tier would never be reached, or the reward never given.

## Example

```yaml
tiers:
  - id: bronze
  - id: gold
    when:
      - deal.amount >= 500 USD
```

## Instead

In tiers use a metric (`sales_12m >= …`); in rewards use a path of the event it is on.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import listed, quoted

CODE = "path-not-here"


def in_tier(path: str) -> Fault:
    return Fault(
        CODE,
        f"a tier cannot depend on {quoted(path)}: it is also judged when there is no event",
        "use a metric per partner, or a field of the partner",
    )


def per_customer_in_tier(metric: str) -> Fault:
    return Fault(
        CODE,
        f"a tier cannot depend on {quoted(metric)}, which is counted per customer",
        "use a metric per partner",
    )


def never_in(path: str, event_types: tuple[str, ...]) -> Fault:
    verb = "carries" if len(event_types) == 1 else "carry"
    return Fault(CODE, f"{listed(event_types)} never {verb} {path}", "use a path of that event, or another event")
