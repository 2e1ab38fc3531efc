"""A `schema` other than the one this version reads.

## What it does

Asks that the file says `schema: goodword/v1`.

## Why that is bad

A later language may mean something else by the same words.

## Example

```yaml
schema: goodword/v9
```

## Instead

Write `schema: goodword/v1`, or use a version of Goodword that reads the other one.
"""

from __future__ import annotations

from typing import Final

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "wrong-schema"


SCHEMA: Final = "goodword/v1"


def fault(found: str) -> Fault:
    return Fault(CODE, f"this version reads {SCHEMA}, not {quoted(found)}", f"write schema: {SCHEMA}")
