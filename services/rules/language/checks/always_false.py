"""Conditions that cannot all hold.

## What it does

Compares the conditions of one list on the same path: ranges that do not meet, different values, beginnings that
differ, `exists` beside `missing`, a count below 0, an `event.type` the reward is not on. What stands under `any:` is
compared with what must hold around it, and `not:` is understood.

## Why that is bad

The reward is never given, the tier never reached, or nobody is eligible.

## Example

```yaml
when:
  - deal.amount >= 500 USD
  - deal.amount < 100 USD
```

## Instead

Mend the bound, or write `any:` if one of them is enough.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import listed, quoted

CODE = "always-false"


def fault(condition: str, other: str) -> Fault:
    return Fault(
        CODE,
        f"{quoted(condition)} cannot hold together with {quoted(other)}",
        "mend one of them, or put both under any: if one is enough",
    )


def alone(condition: str) -> Fault:
    return Fault(CODE, f"{quoted(condition)} never holds: a count is never below 0", "mend the number")


def together(condition: str, others: list[str]) -> Fault:
    known = listed([quoted(each) for each in others])
    return Fault(CODE, f"{quoted(condition)} cannot hold together with {known}", "mend one of them")


def event_type(condition: str) -> Fault:
    return Fault(CODE, f"{quoted(condition)} never holds: the reward is on other events", "mend it, or mend on:")


def nothing_qualifies() -> Fault:
    return Fault(
        CODE,
        "no lead can ever qualify: the CRM is ignored and there are no criteria",
        "add qualified.lead, or leave crm: ignored away",
    )
