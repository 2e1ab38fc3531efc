"""Terms that later ones of the same partner or group replace.

## What it does

Compares terms without days, or of the same days, that set the same part.

## Why that is bad

The later ones win, so what was negotiated first is not paid.

## Example

```yaml
terms:
  - {partner: acme, set: {commission.percent: 12}}
  - {partner: acme, set: {commission.percent: 10}}
```

## Instead

Keep one of them, or give both their days: `from` and `to`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "shadowed-terms"


def fault(key: str, line: int) -> Fault:
    return Fault(
        CODE,
        f"{quoted(key)} is never used: line {line} sets it again",
        "keep one of the two, or give both their days",
        "warning",
    )
