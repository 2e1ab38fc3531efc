"""A test that expects what can never come: a reward on other events, or a condition that the file does not have.

## What it does

Compares the events of a test with what the expected rewards are on; a lead can qualify at any event of a lead or a
deal. And looks up the condition that `because` names.

## Why that is bad

It fails whatever the rules say, so it tests nothing.

## Example

```yaml
rewards:
  - {id: survey-points, on: survey.answered, give: 5 USD}
tests:
  - name: a survey pays
    events:
      - {type: deal.won, deal.amount: 100 USD}
    expect:
      - survey-points: 5 USD
```

## Instead

Mend the type of the event, or what is expected. A condition is named word for word as the rules have it.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, listed, quoted

CODE = "hopeless-test"


def fault(reward: str, on: Sequence[str]) -> Fault:
    return Fault(CODE, f"{quoted(reward)} is on {listed(on, 'or')}, which this test does not have", "mend the event")


def no_such_condition(because: str, conditions: Sequence[str]) -> Fault:
    help = did_you_mean(because, conditions, "write a condition as the rules have it, or the reason of the denial")
    return Fault(CODE, f"no condition of this file reads {quoted(because)}", help, severity="warning")
