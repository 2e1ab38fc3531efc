"""An event type that does not exist, or that never reaches the rules.

## What it does

Checks `on`, `count`, `minus`, `event.type` and the events of tests.

## Why that is bad

A rule on a misspelt event never fires, and nobody is told.

## Example

```yaml
on: deal.wonn
```

## Instead

Use one of the types of docs/events.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, quoted

CODE = "unknown-event-type"


def fault(name: str, known: Iterable[str]) -> Fault:
    return Fault(CODE, f"there is no event {quoted(name)}", did_you_mean(name, known, "all events: docs/events.md"))


def not_for_rules(name: str) -> Fault:
    return Fault(CODE, f"{name} does not reach the rules", "use an event of a lead, deal, survey, activity or partner")
