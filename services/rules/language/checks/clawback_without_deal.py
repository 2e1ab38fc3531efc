"""A clawback of a reward that no deal earns.

## What it does

Looks at the events of a reward that has `clawback`.

## Why that is bad

A refund takes back what its own deal brought. What a survey or a training brought is never taken back, and somebody may
rely on it. The rule set loads all the same.

## Example

```yaml
- {id: survey-points, on: survey.answered, give: 10 POINTS, clawback: 180 days}
```

## Instead

Leave `clawback` away.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "clawback-without-deal"


def fault() -> Fault:
    return Fault(CODE, "nothing is ever taken back: this reward is on no event of a deal", "leave it away", "warning")
