"""Conditions and the values in them: comparisons, how they nest, numbers, days, times, durations and windows."""

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
