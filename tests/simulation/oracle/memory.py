"""Everything that the oracle remembers of one partner: all of it, for good."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

Grant = tuple[str, str, int | None, str | None]
"""Rule, beneficiary, minor units, unit; of a tier change the tier in the place of the unit."""


class Taken(NamedTuple):
    """What happened on a day and counts in metrics, with what conditions saw of it."""

    what: str
    day: date
    seen: dict[str, Any]


@dataclass
class Given:
    """A grant that refunds may take back."""

    grant: Grant
    until: date
    taken: int = 0


@dataclass
class Deal:
    minor: int = 0
    refunded: int = 0
    given: list[Given] = field(default_factory=list)


@dataclass
class Memory:
    partner: str
    tier: str
    clock: date | None = None
    ids: set[tuple[str, str]] = field(default_factory=set)
    happened: set[tuple[str, ...]] = field(default_factory=set)
    profile: dict[str, Any] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    raises: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    used: dict[tuple[Any, ...], int] = field(default_factory=lambda: defaultdict(int))
    reached: set[tuple[str, int]] = field(default_factory=set)
    first_won: dict[str, date] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=lambda: defaultdict(Deal))


class Moment(NamedTuple):
    """What conditions are asked about: a partner, with a tier, on a day, at an event."""

    memory: Memory
    tier: str
    day: date
    seen: dict[str, Any]

    @property
    def customer(self) -> str | None:
        return self.seen.get("customer.id")
