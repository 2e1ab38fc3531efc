"""A unit that is neither a currency nor declared under `units`.

## What it does

Looks units up in the ISO 4217 table and in the file's `units`.

## Why that is bad

Nobody could spend what is given in it.

## Example

```yaml
give: 10 PIONTS
```

## Instead

Declare it (`units: {POINTS: {}}`), or use the name that was meant.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, quoted

CODE = "unknown-unit"


def fault(unit: str, declared: Iterable[str]) -> Fault:
    return Fault(
        CODE,
        f"{quoted(unit)} is neither a currency nor declared under units",
        did_you_mean(unit, declared, f"declare it: units: {{{unit}: {{}}}}" if unit.isidentifier() else ""),
    )
