"""A YAML anchor (`&name`) or alias (`*name`).

## What it does

Refuses YAML's way of writing a thing once and pointing at it from elsewhere.

## Why that is bad

A reader cannot see what a rule says without searching the file, and a few lines of aliases can stand for billions
of values.

## Example

```yaml
when: &big
  - deal.amount >= 500 USD
```

## Instead

Write the condition out where it applies. A text that begins with `&` or `*` goes in quotes.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "anchor-or-alias"


def fault() -> Fault:
    return Fault(
        CODE,
        "anchors (&) and aliases (*) are not part of the rule language",
        "write it out here; a text that begins with & or * goes in quotes",
    )
