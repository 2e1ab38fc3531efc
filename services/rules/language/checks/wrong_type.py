"""A literal or path of another type than is needed.

## What it does

Checks literals against the type of their path, and what is summed, averaged or taken a percentage of.

## Why that is bad

A number is never equal to an amount, and a text has no sum.

## Example

```yaml
when:
  - partner.agreement_signed == yes
```

## Instead

Write a literal of the path's type; the message says which.
"""

from __future__ import annotations

from services.rules.language.located import Fault
from services.rules.language.words import quoted

CODE = "wrong-type"


def literal(text: str, path: str, type_words: str, example: str) -> Fault:
    return Fault(CODE, f"{path} is {type_words}, {quoted(text)} is not", f"write {example}")


def path(path: str, type_words: str, wanted: str, help: str = "") -> Fault:
    return Fault(CODE, f"{path} is {type_words}; {wanted} is needed here", help)
