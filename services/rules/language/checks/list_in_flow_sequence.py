"""A condition with a list of its own inside a `[ … ]` or `{ … }`.

## What it does

Recognises `x in [a, b]` inside YAML's short form of lists and mappings, where YAML does not allow it.

## Why that is bad

YAML reads the inner bracket as a list of its own and loses the condition.

## Example

```yaml
when: [customer.country in [US, CA]]
```

## Instead

Put the condition on a line of its own, after a dash:

```yaml
when:
  - customer.country in [US, CA]
```
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "list-in-flow-sequence"


def fault() -> Fault:
    return Fault(
        CODE,
        "YAML does not allow a condition with a list inside [ … ] or { … }",
        "put the condition on a line of its own, after a dash",
    )
