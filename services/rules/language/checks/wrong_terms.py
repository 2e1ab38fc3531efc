"""Terms that change nothing that can be changed.

## What it does

Asks for exactly one of `partner` and `group`, and for keys under `set` that name a reward and one of its parts: `give`,
`percent`, `at_most`, `limit`, `hold`, `for`, `clawback`; or a reward alone, with `off`.

## Why that is bad

A negotiated part that is misspelt would leave the partner with what everybody gets.

## Example

```yaml
terms:
  - partner: acme
    set: {commission.procent: 12}
```

## Instead

Use the part that the message suggests.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, listed, quoted

CODE = "wrong-terms"


def whom(found: int) -> Fault:
    message = "terms are for a partner or for a group" if found else "terms need a partner or a group"
    return Fault(CODE, message, "such as partner: acme-consulting")


def part(name: str, known: Sequence[str]) -> Fault:
    return Fault(
        CODE, f"a reward has no part {quoted(name)} to set", did_you_mean(name, known, f"set {listed(known, 'or')}")
    )


def alone(reward: str, text: str) -> Fault:
    return Fault(
        CODE, f"{quoted(text)} is not what a whole reward can be set to", f"write {reward}: off, or set a part of it"
    )
