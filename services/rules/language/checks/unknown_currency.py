"""A currency that ISO 4217 does not have.

## What it does

Checks the programme's currency, and three-letter units that are not declared.

## Why that is bad

Its decimals are unknown, so amounts in it mean nothing.

## Example

```yaml
currency: UDS
```

## Instead

Use the ISO 4217 code, in capitals.
"""

from __future__ import annotations

from contracts.money import CURRENCY_DECIMALS
from services.rules.language.located import Fault
from services.rules.language.words import did_you_mean, quoted

CODE = "unknown-currency"


def fault(code: str) -> Fault:
    help = did_you_mean(code.upper(), CURRENCY_DECIMALS, "use an ISO 4217 code, in capitals")
    return Fault(CODE, f"{quoted(code)} is not a currency of ISO 4217", help)
