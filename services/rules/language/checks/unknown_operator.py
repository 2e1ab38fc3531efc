"""An operator that the language does not have.

## What it does

Compares the second word of a condition with the list of operators.

## Why that is bad

The comparison cannot be made.

## Example

```yaml
when:
  - deal.amount => 500 USD
```

## Instead

Use `==  !=  <  <=  >  >=  in  not in  contains  starts_with  exists  missing`.
"""

from __future__ import annotations

from typing import Final

from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, quoted

CODE = "unknown-operator"


OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "starts_with", "exists", "missing")
_MEANT: Final = {
    "=": "==", "===": "==", "is": "==", "equals": "==", "eq": "==", "<>": "!=", "!==": "!=", "ne": "!=", "=>": ">=",
    "≥": ">=", "=<": "<=", "≤": "<=", "≠": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "contains",
    "has": "contains", "includes": "contains", "startswith": "starts_with",
    "begins_with": "starts_with", "not": "not in",
}  # fmt: skip


def fault(operator: str) -> Fault:
    meant = _MEANT.get(operator.lower())
    help = f"did you mean {meant}?" if meant else did_you_mean(operator, OPERATORS, f"there are {'  '.join(OPERATORS)}")
    return Fault(CODE, f"there is no operator {quoted(operator)}", help)


def missing_for() -> Fault:
    help = "write it under inactivity: - {id: quiet, when: wins missing for 90 days}"
    return Fault(CODE, "missing for a time is no condition", help)
