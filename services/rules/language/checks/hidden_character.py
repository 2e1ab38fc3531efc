"""A character that cannot be seen, or that changes the order in which a line is read.

## What it does

Refuses marks of writing direction (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), zero-width spaces and
joiners of words (U+200B, U+2060) and byte order marks inside the text.

## Why that is bad

A line can look like another one than it is: who reviews `5` approves `50`.

## Example

```yaml
give: 5 USD
```

## Instead

Type the line anew; texts from web pages and documents bring such characters along.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "hidden-character"


def fault(character: str) -> Fault:
    return Fault(
        CODE,
        f"there is a character that cannot be seen, U+{ord(character):04X}",
        "type the line anew: what it shows is not what it says",
    )
