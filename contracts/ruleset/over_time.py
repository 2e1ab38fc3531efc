"""What goes beyond one event: milestones, contests, budgets, inactivity, and terms for some partners or for a time."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.money import Money
from contracts.ruleset.conditions import Duration, Number
from contracts.ruleset.giving import Give, Limit


class Raise(msgspec.Struct, frozen=True):
    """Percentage points (millionths: 1 point is 10_000) that a rule gives more, for good.

    It adds to whatever percentage the rule gives, negotiated terms included, and to every slice of a marginal one.
    """

    rule: str
    by_ppm: int


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """Something given once when a metric crosses a mark: before < at <= after.

    Exactly one of `at` and `every` is set, and exactly one of `give` and `raises`.

    Attributes:
        metric: The id of a metric without window and not per customer.
        at: The mark, above zero: an amount in the metric's unit, or a number. Once per partner.
        every: Each multiple of it that is crossed decides once per partner; the multiple is the decision's occasion.
        raises: A granted decision without an amount.
    """

    id: str
    metric: str
    at: Money | Number | None = None
    every: Money | Number | None = None
    give: Money | None = None
    raises: Raise | None = None
    line: int = 0


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """Partners ranked by a number between two days; the first ones win a prize each.

    Attributes:
        kind, of, on, minus, unit: What is counted, as in a Metric; always per partner.
        from_day, to_day: Local days since 1970-01-01, both inside.
        prizes: By rank, from the first.
    """

    id: str
    kind: Literal["sum", "count", "distinct", "mean"]
    of: str | None
    on: tuple[str, ...]
    from_day: int
    to_day: int
    prizes: tuple[Money, ...]
    minus: str | None = None
    unit: str | None = None
    line: int = 0


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A ceiling for the whole programme. Decisions name the budgets that cover them; the ledger enforces them.

    Attributes:
        amount: What is there in each local period.
        covers: Ids of rewards, milestones and contests, in the order of the file; all give the budget's unit, or a
            percentage when it is money. Resolved: a budget without `covers` has every rule of its unit here.
        when_spent: What is over the budget waits for somebody to decide (`hold`), or is not paid (`deny`).
    """

    id: str
    amount: Money
    per: Literal["month", "quarter", "year", "ever"]
    covers: tuple[str, ...]
    when_spent: Literal["hold", "deny"]
    line: int = 0


class Inactivity(msgspec.Struct, frozen=True, kw_only=True):
    """A granted decision without an amount, once per silence: the metric took no event for so long.

    It holds on a local day D when the metric took nothing on the days of the window `missing_for` that ends at D, and
    something before; the decision tells a silence once, and the next event that the metric takes ends it.

    Attributes:
        metric: The id of a metric that is not per customer; its own window plays no part.
        text: The condition as it stands in the file: `sales_12m missing for 90 days`.
    """

    id: str
    metric: str
    missing_for: Duration
    text: str
    line: int = 0
    column: int = 0


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """One part of one reward that terms replace. The value of the part stands in the field of its name.

    Attributes:
        part: `off` takes the reward away. `percent` is resolved: it comes as `give`, with the base of the reward, and
            leaves `at_most` alone, as does a `give` that names no ceiling.
        give: Set for `give` alone.
        at_most: Of `at_most`; None is `none`: without a ceiling.
        limits: Of `limit`; empty is `none`.
        duration: Of `for`, `hold` and `clawback`; None is `none`.
    """

    rule: str
    part: Literal["off", "give", "at_most", "limit", "for", "hold", "clawback"]
    give: Give | None = None
    at_most: Money | None = None
    limits: tuple[Limit, ...] = ()
    duration: Duration | None = None
    line: int = 0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was negotiated with one partner, or holds for one group; with days it is a pilot.

    Exactly one of `partner` and `group` is set. In `RuleSet.terms` they stand in the order in which they apply: groups
    in file order, then partners in file order; a later override of the same part wins, and `off` wins over all.

    Attributes:
        group: One of `partner.groups`.
        overrides: In file order.
        from_day, to_day: The local days of the event on which they apply, both inside; None: without end.
    """

    overrides: tuple[Override, ...]
    partner: str | None = None
    group: str | None = None
    from_day: int | None = None
    to_day: int | None = None
    line: int = 0
