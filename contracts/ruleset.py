"""The rule language's types: one immutable revision of a programme's rule set, after it was read and checked.

These are values, no behaviour: `services/rules/language/` makes them from YAML, `services/rules/` compiles and
evaluates them, and whoever shows rules reads them. Semantics: docs/rules.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.money import Money

Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "starts_with", "exists", "missing"]


class Number(msgspec.Struct, frozen=True, tag="number"):
    """An exact number without unit, in millionths: `7.5` is 7_500_000."""

    millionths: int


class Day(msgspec.Struct, frozen=True, tag="day"):
    """A local date, as days since 1970-01-01."""

    epoch_day: int


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """A local time of the programme's zone, resolved to milliseconds since 1970 in UTC."""

    time_ms: int


Scalar = Money | Number | Day | Moment | str | bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`path operator literal`.

    Attributes:
        path: `deal.amount`, `tier`, `attributes.office`, or a metric's name.
        literal: None for `exists` and `missing`; a tuple for `in` and `not in`.
        text: The condition as it stands in the file; what traces and `because` show.
        line, column: From 1, in the file.
    """

    path: str
    operator: Operator
    literal: Scalar | tuple[Scalar, ...] | None
    text: str
    line: int = 0
    column: int = 0


class AllOf(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]


class AnyOf(msgspec.Struct, frozen=True):
    conditions: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True):
    condition: Condition


Condition = Comparison | AllOf | AnyOf | Not


class Duration(msgspec.Struct, frozen=True):
    """A calendar duration: days and months; years are twelve months."""

    days: int = 0
    months: int = 0


class Window(msgspec.Struct, frozen=True):
    """What part of the past a metric reads: a duration up to today, or this period so far. Both None: lifetime."""

    duration: Duration | None = None
    this: Literal["month", "quarter", "year"] | None = None


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A number that a partner (or a customer of a partner) has.

    Attributes:
        kind: What is done with the values of `of`.
        of: The path that is summed, told apart or averaged; None for `count`.
        on: Event types.
        minus: Event type whose amount is taken off a sum (`deal.refunded`).
        per_customer: One value per customer of the partner.
        unit: Of a sum or mean of amounts: the programme's currency; None for plain numbers.
    """

    id: str
    kind: Literal["sum", "count", "distinct", "mean"]
    of: str | None
    on: tuple[str, ...]
    minus: str | None = None
    window: Window = Window()
    per_customer: bool = False
    unit: str | None = None
    line: int = 0


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A standing; the first one has no `when` and is where everyone starts."""

    id: str
    when: Condition | None = None
    line: int = 0


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


class Reward(msgspec.Struct, frozen=True, kw_only=True):
    """A reward rule.

    Attributes:
        on: Event types it considers.
        to: Whom it pays.
        at_most: Ceiling for one decision, in the unit of what is given.
    """

    id: str
    on: tuple[str, ...]
    give: Given | Lookup
    to: Literal["partner", "member", "customer"] = "partner"
    when: Condition | None = None
    at_most: Money | None = None
    line: int = 0


class Unit(msgspec.Struct, frozen=True):
    """A unit of the programme's own."""

    id: str
    decimals: int = 0
    expires_after: Duration | None = None


class RuleTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test that ships with the rules, kept as read: scalars are text."""

    name: str
    given: dict[str, str] = {}
    events: tuple[dict[str, str], ...] = ()
    expect: tuple[tuple[str, Money], ...] = ()
    because: str | None = None
    line: int = 0


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """One revision's content.

    Attributes:
        timezone: IANA name; all days, windows and effective times are local to it.
        effective_from_ms: From when events are decided by it; None means from its activation on.
        crm_qualifies: Whether a source's own `lead.qualified` counts (`crm: ignored` turns it off).
    """

    programme: str
    currency: str
    timezone: str
    effective_from_ms: int | None = None
    units: tuple[Unit, ...] = ()
    eligible_partner: Condition | None = None
    eligible_customer: Condition | None = None
    qualified_lead: Condition | None = None
    qualified_deal: Condition | None = None
    crm_qualifies: bool = True
    metrics: tuple[Metric, ...] = ()
    tiers: tuple[Tier, ...] = ()
    rewards: tuple[Reward, ...] = ()
    tests: tuple[RuleTest, ...] = ()
