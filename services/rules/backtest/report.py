"""The report of a back-test as data: what `--json` prints, documented in docs/rules.md#back-test and kept stable.

Amounts are integers in minor units; `units` tells their decimals. Fields are only ever added.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from contracts.money import CURRENCY_DECIMALS, assumed_decimals, format_minor

SCHEMA: Final = "goodword/backtest/v1"


class SideTold(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided on one side. `revision` is 0 for history and for a rule set that was not published."""

    label: str
    revision: int = 0
    digest: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Money of one partner, tier or month (`name`), or in all (empty), in one unit."""

    name: str
    unit: str
    before_minor: int
    after_minor: int
    difference_minor: int


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """Money of one rule, how many decisions granted it, and how many of them a limit or `at_most` cut by how much."""

    rule: str
    to: str
    unit: str
    before_minor: int
    after_minor: int
    difference_minor: int
    before_granted: int
    after_granted: int
    before_clamped: int
    after_clamped: int
    before_clamped_minor: int
    after_clamped_minor: int


class TierMove(msgspec.Struct, frozen=True, kw_only=True):
    """Partners who would end in the tier `after` and not in `before`; empty: in the tier where everyone starts."""

    before: str
    after: str
    partners: list[str]


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a budget's period would be used by, before the ledger holds or denies what goes over `amount_minor`."""

    budget: str
    period: str
    unit: str
    amount_minor: int
    when_spent: str
    before_minor: int
    after_minor: int


class DenialChange(msgspec.Struct, frozen=True, kw_only=True):
    """How often one rule was denied for one reason."""

    rule: str
    reason: str
    before: int
    after: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a back-test found.

    Attributes:
        from_day, to_day: Local days that are counted, both inclusive; None: from the beginning, to the end.
        events: How many of the programme were replayed; `skipped` could not be read or have no partner.
        units: Decimals of every unit that occurs.
        partners: What a partner and its members get; what its customers get is in `rules` and `totals` only.
    """

    schema: str = SCHEMA
    programme: str
    currency: str
    timezone: str
    before: SideTold
    after: SideTold
    from_day: str | None
    to_day: str | None
    events: int
    skipped: int
    rejected_before: int
    rejected_after: int
    units: dict[str, int]
    totals: list[Change]
    partners: list[Change]
    rules: list[RuleChange]
    tiers: list[Change]
    months: list[Change]
    moves: list[TierMove]
    budgets: list[BudgetUse]
    denials: list[DenialChange]

    def winners(self, unit: str) -> list[Change]:
        """Partners who get more than before, the largest gain first."""
        return [change for change in self.partners if change.unit == unit and change.difference_minor > 0]

    def losers(self, unit: str) -> list[Change]:
        """Partners who get less, the largest loss first."""
        return [change for change in self.partners if change.unit == unit and change.difference_minor < 0]

    def differs(self, unit: str) -> bool:
        """Whether anybody or any rule gets another amount in this unit."""
        return any(change.difference_minor for change in self.partners if change.unit == unit) or any(
            rule.difference_minor for rule in self.rules if rule.unit == unit
        )

    @property
    def is_equal(self) -> bool:
        """Whether no money, no tier and no denial differs."""
        return not (self.moves or self.denials or any(self.differs(total.unit) for total in self.totals))

    def summary(self) -> dict[str, Any]:
        """For whoever only wants to know that somebody looked, and at what: the totals and how many are touched."""
        return {
            "events": self.events,
            "before": self.before.label,
            "after": self.after.label,
            "from": self.from_day,
            "to": self.to_day,
            "totals": [msgspec.to_builtins(total) for total in self.totals],
            "winners": sum(change.difference_minor > 0 for change in self.partners),
            "losers": sum(change.difference_minor < 0 for change in self.partners),
            "tier_moves": sum(len(move.partners) for move in self.moves),
        }

    def amount(self, minor: int, unit: str, *, is_signed: bool = False) -> str:
        """`1,054.00`, with a sign where it is a difference."""
        return show_minor(minor, self.units.get(unit, assumed_decimals(unit)), is_signed=is_signed)


def show_minor(minor: int, decimals: int, *, is_signed: bool = False) -> str:
    whole, point, part = format_minor(abs(minor), decimals).partition(".")
    sign = "-" if minor < 0 else "+" if is_signed and minor > 0 else ""
    return f"{sign}{int(whole):,}{point}{part}"


def decimals_of(units: set[str], declared: dict[str, int]) -> dict[str, int]:
    """Of every unit that occurs, its decimals."""
    known = {**declared, **CURRENCY_DECIMALS}
    return {unit: known.get(unit, 0) for unit in sorted(units)}
