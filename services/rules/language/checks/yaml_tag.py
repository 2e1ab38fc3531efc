"""A YAML tag (`!name`).

## What it does

Refuses tags, by which YAML gives a value another type or makes an object of it.

## Why that is bad

Types come from the rule language; a tag could only say otherwise, and some YAML readers run code for it.

## Example

```yaml
currency: !!python/name:os.system USD
```

## Instead

Leave the tag away. A text that begins with `!` goes in quotes.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "yaml-tag"


def fault() -> Fault:
    return Fault(
        CODE,
        "tags (!) are not part of the rule language",
        "leave it away; a text that begins with ! goes in quotes",
    )
