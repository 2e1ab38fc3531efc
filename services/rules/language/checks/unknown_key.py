"""A key that the language does not have.

## What it does

Reports it, with the nearest key that may stand there.

## Why that is bad

A misspelt `at_most` that is passed over is a ceiling that does not hold.

## Example

```yaml
give: {percent: 5, of: deal.amount, at_mots: 10 USD}
```

## Instead

Use the name that was meant; docs/rules.md lists them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.rules.language.located import Fault
from services.rules.language.words import listed, quoted

CODE = "unknown-key"


def fault(key: str, of: str, known: Sequence[str], guess: str | None) -> Fault:
    advice = f"did you mean {guess}?" if guess else f"it has {listed(known)}"
    return Fault(CODE, f"{of} has no {quoted(key)}", advice)
