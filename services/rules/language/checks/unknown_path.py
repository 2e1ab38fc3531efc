"""A path that no event, partner or metric has.

## What it does

Looks every path up in the catalogue and among the file's metrics, and points at the part that is wrong.

## Why that is bad

A condition on it could never be judged, so the rule would never pay.

## Example

```yaml
when:
  - deal.ammount >= 500 USD
```

## Instead

Use the name that was meant. What senders add themselves is `attributes.<key>`.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, quoted

CODE = "unknown-path"


def field(thing: str, field: str, suggestion: str | None) -> Fault:
    article = "an" if thing[0] in "aeiou" else "a"
    advice = f"did you mean {suggestion}? " if suggestion else ""
    return Fault(CODE, f"{article} {thing} has no field {quoted(field)}", f"{advice}All paths: docs/rules.md#paths")


def fault(path: str, known: Iterable[str]) -> Fault:
    advice = did_you_mean(path, known)
    return Fault(
        CODE,
        f"there is no path or metric {quoted(path)}",
        f"{advice}{' ' if advice else ''}All paths: docs/rules.md#paths",
    )


def incomplete(thing: str, examples: str) -> Fault:
    return Fault(CODE, f"{thing} alone has no value", f"name one of its fields: {examples}")


def no_tiers() -> Fault:
    return Fault(CODE, "this programme has no tiers", "add a tiers section, or do without tier")
