"""What one side of a back-test came to, added up while it is replayed, in memory that grows with partners and rules.

Sums of several partitions add up to those of the whole log, in any order, whatever events lay in which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.decisions import RULE_TIER, Decision
from services.rules.backtest.window import Window

PartnerKey = tuple[str, str, str, str]
"""Partner, rule, to whom (`partner`, `member` or `customer`), unit."""
BudgetKey = tuple[str, str, int, str, str]
"""Budget, period, what is there, its unit, `hold` or `deny`."""


class Cell(msgspec.Struct, array_like=True):
    """What one rule granted for the events of one partner in one unit.

    Attributes:
        minor: All of it; what was taken back is taken off.
        granted: How many decisions.
        clamped, clamped_minor: How many of them a limit or `at_most` cut, and how much that took off.
    """

    minor: int = 0
    granted: int = 0
    clamped: int = 0
    clamped_minor: int = 0

    def add(self, other: Cell) -> None:
        self.minor += other.minor
        self.granted += other.granted
        self.clamped += other.clamped
        self.clamped_minor += other.clamped_minor


class Sums(msgspec.Struct):
    """The sums of one side.

    Attributes:
        cells: By partner, rule, beneficiary's kind and unit.
        tiers: Minor units by tier that was used and unit; `months` by local month and unit.
        budgets: Minor units that a budget covers, by budget and period.
        denials: How often, by rule and reason.
        moves: How often, by tier before and after; `tier_of` is each partner's last one.
        rejected: Events that could not be judged.
    """

    cells: dict[PartnerKey, Cell] = {}
    tiers: dict[tuple[str, str], int] = {}
    months: dict[tuple[str, str], int] = {}
    budgets: dict[BudgetKey, int] = {}
    denials: dict[tuple[str, str], int] = {}
    moves: dict[tuple[str, str], int] = {}
    tier_of: dict[str, str] = {}
    rejected: int = 0

    def take(self, decisions: Sequence[Decision], window: Window) -> None:
        """Add decisions up, those of events outside of the window only where they say which tier a partner has."""
        cells, tiers, months, denials = self.cells, self.tiers, self.months, self.denials
        month_at_ms, month = None, None
        for decision in decisions:
            time_ms = decision.time_ms
            if time_ms != month_at_ms:
                # Decisions of one event follow each other.
                month_at_ms, month = time_ms, window.month_of(time_ms)
            if decision.rule == RULE_TIER and decision.granted:
                self._take_move(decision, is_counted=month is not None)
            if month is None:
                continue
            if not decision.granted:
                key = decision.rule, plain_reason(decision)
                denials[key] = denials.get(key, 0) + 1
                continue
            minor, unit = decision.amount_minor, decision.unit
            if minor is None or unit is None:
                continue
            name = decision.partner, decision.rule, decision.beneficiary.partition(":")[0], unit
            cell = cells.get(name)
            if cell is None:
                cell = cells[name] = Cell()
            cell.minor += minor
            cell.granted += 1
            if decision.clamped_minor:
                cell.clamped += 1
                cell.clamped_minor += decision.clamped_minor
            of_tier = decision.tier or "", unit
            tiers[of_tier] = tiers.get(of_tier, 0) + minor
            of_month = month, unit
            months[of_month] = months.get(of_month, 0) + minor
            for claim in decision.budgets:
                covered = claim.budget, claim.period, claim.amount_minor, claim.unit, claim.when_spent
                self.budgets[covered] = self.budgets.get(covered, 0) + (minor if claim.unit == unit else 0)

    def _take_move(self, decision: Decision, *, is_counted: bool) -> None:
        tier_to = decision.tier_to or ""
        self.tier_of[decision.partner] = tier_to
        if is_counted:
            move = decision.tier or "", tier_to
            self.moves[move] = self.moves.get(move, 0) + 1

    def add(self, other: Sums) -> None:
        """Take in the sums of another partition; a partner is in one of them only."""
        for name, cell in other.cells.items():
            self.cells.setdefault(name, Cell()).add(cell)
        mine_theirs: tuple[tuple[dict[Any, int], dict[Any, int]], ...] = (
            (self.tiers, other.tiers),
            (self.months, other.months),
            (self.budgets, other.budgets),
            (self.denials, other.denials),
            (self.moves, other.moves),
        )
        for mine_of, theirs in mine_theirs:
            for key, count in theirs.items():
                mine_of[key] = mine_of.get(key, 0) + count
        self.tier_of.update(other.tier_of)
        self.rejected += other.rejected


def plain_reason(decision: Decision) -> str:
    """Why, without the value that the event happened to carry: what a sender writes must not fill our memory."""
    reason = decision.reason
    # That a value is missing is worth a row of its own.
    if ": " not in reason or reason.endswith(" is missing"):
        return reason
    for line in decision.trace:
        if line.verdict != "met" and reason.endswith(f": {line.saw}"):
            return reason.removesuffix(f": {line.saw}")
    return reason
