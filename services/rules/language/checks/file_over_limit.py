"""A file beyond what a rule set ever needs.

## What it does

Refuses files that are too large, too deeply nested, have too many values, metrics, tiers, rewards or tests,
or a value that is too long.

## Why that is bad

Rule files come from people; a limit with a name is refused at once, an endless file would hold up everybody.

## Example

```yaml
when: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[deal.amount >= 1 USD]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
```

## Instead

Split the programme, or write conditions flatter: eight levels of `all`, `any` and `not` are allowed.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "file-over-limit"


def too_large(bytes_count: int, bytes_max: int) -> Fault:
    return Fault(CODE, f"the file has {bytes_count:,} bytes, at most {bytes_max:,} are read", "split the programme")


def too_deep(levels_max: int) -> Fault:
    return Fault(CODE, f"lists and mappings are nested deeper than {levels_max} levels", "write it flatter")


def too_many_nodes(nodes_max: int) -> Fault:
    return Fault(CODE, f"the file has more than {nodes_max:,} values", "split the programme")


def too_long_text(length_max: int) -> Fault:
    return Fault(CODE, f"one value has more than {length_max:,} characters", "shorten it")


def too_many(of: str, count_max: int) -> Fault:
    return Fault(CODE, f"there are more than {count_max:,} {of}", "split the programme")


def too_many_problems(problems_max: int) -> Fault:
    return Fault(
        CODE, f"more than {problems_max - 1} problems; the rest of the file was not looked at", "mend these first"
    )
