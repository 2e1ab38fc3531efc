"""A part of the language that this version cannot carry out.

## What it does

Refuses `limit`, `for`, `hold`, `clawback`, `milestones`, `groups`, `contests`, `budgets`, `terms`, `lock_terms`, a
`tier_review` other than `never`, a lookup by several paths, by brackets or marginal, `raise`, and metrics
against amounts of another currency, which need exchange rates.

## Why that is bad

A limit that is passed over pays too much, a hold that is passed over pays too early. Nothing is paid half.

## Example

```yaml
limit: 50_000 USD per quarter
```

## Instead

Leave it away if the programme can do without, else wait for the version that carries it out.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "not-carried-out-yet"


def fault(what: str) -> Fault:
    return Fault(
        CODE,
        f"this version does not carry out `{what}` yet",
        "a programme that needs it must wait, nothing is paid half",
    )
