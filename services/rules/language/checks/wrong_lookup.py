"""A lookup whose parts do not fit together.

## What it does

Asks for exactly one of `values`, `rows` and `from`; for as many values in a row as there are paths in `by`, and what is
given after them; and for `marginal` only with percentages of the very amount that is looked up, from 0 on.

## Why that is bad

Which value is looked up, or what a slice is a percentage of, would be a guess.

## Example

```yaml
give: {by: [tier, deal.product], rows: [[gold, 12 USD]], otherwise: 5 USD}
```

## Instead

Write each row as one value for each path, or `any`, and then what is given: `[gold, any, 12 USD]`.
"""

from __future__ import annotations

from services.rules.language.located import Fault

CODE = "wrong-lookup"


def kinds(found: int) -> Fault:
    message = "a lookup is one of values, rows and from" if found else "a lookup needs values, rows or from"
    return Fault(CODE, message, "such as {by: tier, values: {bronze: 5, silver: 7.5}}")


def several_paths() -> Fault:
    help = "write rows: [[gold, GTX Pro, 12], [gold, any, 9]]"
    return Fault(CODE, "a lookup by several paths has rows", help)


def row_length(found: int, wanted: int) -> Fault:
    return Fault(
        CODE,
        f"this row has {found} {'entry' if found == 1 else 'entries'}, {wanted} are needed",
        "write a value for each path, or any, and then what is given",
    )


def too_many_paths(paths_max: int) -> Fault:
    return Fault(CODE, f"a lookup is by at most {paths_max} paths", "make several rewards, each with its own when")


def marginal_without_brackets() -> Fault:
    return Fault(
        CODE, "marginal stands in a lookup by brackets", "use it as: {by: deal.amount, from: {…}, marginal: true}"
    )


def marginal_base(by: str) -> Fault:
    help = f"take every percentage of {by}, or look up what they are taken of"
    return Fault(
        CODE, f"marginal pays slices of what is looked up, but not everything here is a percentage of {by}", help
    )


def marginal_start() -> Fault:
    return Fault(CODE, "the slices of a marginal lookup begin at 0", "add a bracket from 0 on: 0 USD: 0")
