"""More than one YAML document in a file.

## What it does

Refuses a second `---`.

## Why that is bad

One file is one rule set with one digest; a second document would be published unread.

## Example

```yaml
schema: goodword/v1
---
schema: goodword/v1
```

## Instead

Make one file per programme.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "several-documents"


def fault() -> Fault:
    return Fault(CODE, "a second document begins here; a rule file is one document", "make one file per programme")
