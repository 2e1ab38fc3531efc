"""A timezone that the IANA database does not have.

## What it does

Looks the name up in the time zone database that Goodword ships.

## Why that is bad

Days, months and effective times are local to it.

## Example

```yaml
timezone: America/NewYork
```

## Instead

Use an IANA name, such as `America/New_York` or `UTC`.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, quoted

CODE = "unknown-timezone"


def fault(name: str, known: Iterable[str]) -> Fault:
    help = did_you_mean(name, known, "use an IANA name, such as America/New_York or UTC")
    return Fault(CODE, f"there is no timezone {quoted(name)}", help)
