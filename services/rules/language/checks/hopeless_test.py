"""A test that expects a reward which none of its events can bring.

## What it does

Compares the events of a test with what the expected rewards are on; a lead can qualify at any event of a lead or a
deal.

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

Mend the type of the event, or what is expected.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import listed, quoted

CODE = "hopeless-test"


def fault(reward: str, on: Sequence[str]) -> Fault:
    return Fault(CODE, f"{quoted(reward)} is on {listed(on, 'or')}, which this test does not have", "mend the event")
