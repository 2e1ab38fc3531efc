"""A text that must stand in double quotes.

## What it does

Finds bare texts with commas, brackets, quotes or operators.

## Why that is bad

`a == b and c == d` would be compared with the one long text `b and c == d`, and never be met.

## Example

```yaml
when:
  - customer.industry == software and deal.amount >= 500 USD
```

## Instead

Put one condition on each line; a text that really has such characters goes in double quotes: `"Smith, Jones"`.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "needs-quotes"


def fault(text: str) -> Fault:
    return Fault(
        CODE,
        f"{quoted(text)} has characters that need double quotes",
        "one condition per line; a text with commas, brackets, quotes or operators goes in double quotes",
    )


def broken_quotes() -> Fault:
    return Fault(
        CODE, "the double quotes are not closed, or something follows them", 'write "text"; a quote inside is \\"'
    )
