"""A test that passes whatever the rules say.

## What it does

Looks for tests without events, and for tests that expect nothing, say no `because`, and have only events that no
reward is on.

## Why that is bad

It is counted as a test, and would not notice a mistake. The rule set loads all the same.

## Example

```yaml
tests:
  - name: nothing happens
    events: []
    expect: []
```

## Instead

Give it an event that a reward is on, and say with `because` why nothing is granted.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import listed

CODE = "idle-test"


def no_events() -> Fault:
    return Fault(CODE, "a test without events passes whatever the rules say", "add an event", "warning")


def no_reward_listens(types: Sequence[str]) -> Fault:
    return Fault(
        CODE,
        f"nothing is on {listed(types)}, so this test passes whatever the rules say",
        "use an event that something is on, or say why nothing is granted: because: …",
        "warning",
    )
