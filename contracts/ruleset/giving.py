"""What rewards give and what bounds them: amounts, percentages, the three kinds of lookup, limits and groups."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.money import Money
from contracts.ruleset.conditions import Condition, Duration, Number


class PercentOf(msgspec.Struct, frozen=True, tag="percent"):
    """A percentage in millionths (7.5 % is 75_000) of a base path."""

    percent_ppm: int
    of: str


Given = Money | PercentOf


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What is given depends on the text at a path, such as `tier` or `deal.product`.

    Attributes:
        values: In file order; the same kind of Given throughout.
        otherwise: For any other value; None only when the values cover every tier.
    """

    by: str
    values: tuple[tuple[str, Given], ...]
    otherwise: Given | None = None


class Row(msgspec.Struct, frozen=True):
    """One row of a lookup by several paths.

    Attributes:
        values: One for each path of `Rows.by`, in its order; None is `any`, which matches whatever there is, a missing
            value included.
    """

    values: tuple[str | None, ...]
    given: Given


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """A lookup by several paths: the first row that matches in every place.

    Attributes:
        by: At least one path, each holding a text or an attribute.
        rows: In file order; the same kind of Given throughout, `otherwise` included.
        otherwise: Where no row matches; None only where a row of nothing but `any`, or the rows by tier together, take
            whatever comes.
    """

    by: tuple[str, ...]
    rows: tuple[Row, ...]
    otherwise: Given | None = None


class Bracket(msgspec.Struct, frozen=True):
    """What is given from this lower bound on (the bound inside) to the next one (outside)."""

    at: Money | Number
    given: Given


class Brackets(msgspec.Struct, frozen=True, kw_only=True):
    """A lookup by a number: the bracket with the largest lower bound that is at or below it.

    Attributes:
        by: A path or metric that holds an amount or a number.
        brackets: Ascending by `at`, no bound twice, all bounds of one unit; the same kind of Given throughout. An
            amount in another currency than the bounds is converted at the rate of the event's day.
        otherwise: Below the lowest bound; None only when that is zero or less.
        marginal: Each slice is paid at its own percentage: the exact slices are summed, and rounded once. Only where
            `by` is the base of every percentage and the lowest bound is 0.
    """

    by: str
    brackets: tuple[Bracket, ...]
    otherwise: Given | None = None
    marginal: bool = False


Give = Given | Lookup | Rows | Brackets


def givens_of(give: Give) -> tuple[Given, ...]:
    """Everything that can be given, in file order, `otherwise` last; a fixed amount or percentage alone."""
    if isinstance(give, Lookup):
        given = tuple(each for _, each in give.values)
    elif isinstance(give, Rows):
        given = tuple(row.given for row in give.rows)
    elif isinstance(give, Brackets):
        given = tuple(bracket.given for bracket in give.brackets)
    else:
        return (give,)
    return given if give.otherwise is None else (*given, give.otherwise)


LimitPer = Literal["month", "quarter", "year", "customer", "ever"]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How often, or how much, one rule gives one partner; what is over is clamped, and nothing left is a denial.

    Exactly one of `count` and `amount` is set: `20 per month` counts granted decisions, `5_000 USD per quarter` sums
    what was granted. A month, quarter and year is the local period of the event's own day; `per customer` counts
    each customer of the partner apart, for good; `ever` is one count for good. Refunds free nothing.

    Attributes:
        text: As it stands in the file, for traces: `20 per month`.
    """

    per: LimitPer
    count: int | None = None
    amount: Money | None = None
    text: str = ""
    line: int = 0
    column: int = 0


class Reward(msgspec.Struct, frozen=True, kw_only=True):
    """A reward rule.

    Attributes:
        on: Event types it considers.
        to: Whom it pays.
        at_most: Ceiling for one decision, in the unit of what is given.
        limits: In file order; each clamps what the one before left.
        lasts: `for`: the reward is given at the customer's first counted won deal with this partner, and at every event
            whose day minus this lies before that deal's day; before any won deal it is denied. None: without end.
        hold: How long what is granted is not yet available, from the event's local day on.
        clawback: Until the deal's local day plus this, inclusive, a refund takes its share back; None: never.
    """

    id: str
    on: tuple[str, ...]
    give: Give
    to: Literal["partner", "member", "customer"] = "partner"
    when: Condition | None = None
    at_most: Money | None = None
    limits: tuple[Limit, ...] = ()
    lasts: Duration | None = None
    hold: Duration | None = None
    clawback: Duration | None = None
    line: int = 0


class RewardGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rewards of which one event gives only one: the highest, after `at_most` and before limits; ties go to the first.

    Attributes:
        rewards: Ids, in file order of the rewards, at least two; no reward is in two groups, all give one unit.
    """

    id: str
    rewards: tuple[str, ...]
    pick: Literal["highest"] = "highest"
    line: int = 0
