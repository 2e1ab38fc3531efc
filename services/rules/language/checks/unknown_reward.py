"""A test that expects a reward the file does not have.

## What it does

Looks up the rewards named under `expect`.

## Why that is bad

The test could never pass.

## Example

```yaml
expect:
  - comission: 75.00 USD
```

## Instead

Use the id of a reward of this file.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, listed, quoted

CODE = "unknown-reward"


def fault(name: str, known: Sequence[str], *, besides: Sequence[str] = ()) -> Fault:
    """`besides` is what else could stand there and may have been meant."""
    help = did_you_mean(name, [*known, *besides], f"there are {listed(known)}" if known else "this file has no rewards")
    return Fault(CODE, f"there is no reward {quoted(name)}", help)
