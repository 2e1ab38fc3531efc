"""A part of the language that this version cannot carry out.

## What it does

Refuses what docs/rules.md#not-yet lists. It is read and checked all the same, so that its slips are told too.

## Why that is bad

A limit that is passed over pays too much, a hold that is passed over pays too early. Nothing is paid half.

## Example

```yaml
milestones:
  - {id: first-100k, metric: sales, at: 100_000 USD, give: 1_000 USD}
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
