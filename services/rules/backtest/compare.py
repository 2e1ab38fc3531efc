"""From the sums of both sides to the report: every difference in money, the largest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Final, TypeVar

import msgspec

from contracts.ruleset import RuleSet
from services.rules.backtest.comparison import Comparison
from services.rules.backtest.report import (
    BudgetUse,
    Change,
    DenialChange,
    Report,
    RuleChange,
    SideTold,
    TierMove,
    decimals_of,
)
from services.rules.backtest.sums import Cell, Sums

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
TO_CUSTOMER: Final = "customer"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says besides its sums; see `Report`. `units` are those that the rule sets declare."""

    programme: str
    currency: str
    timezone: str
    before: SideTold
    after: SideTold
    from_day: str | None = None
    to_day: str | None = None
    units: dict[str, int]


def compare(head: Head, comparison: Comparison, *, events: int, skipped: int) -> Report:
    """The report. The same sums give the same bytes, whatever order they were added up in."""
    before, after = comparison.before, comparison.after
    units = {name[3] for side in (before, after) for name in side.cells}
    units |= {name[3] for side in (before, after) for name in side.budgets}
    return Report(
        programme=head.programme,
        currency=head.currency,
        timezone=head.timezone,
        before=head.before,
        after=head.after,
        from_day=head.from_day,
        to_day=head.to_day,
        events=events,
        skipped=skipped,
        units=decimals_of(units, head.units),
        totals=_changes(before, after, lambda name: ("", name[3])),
        partners=_changes(before, after, lambda name: None if name[2] == TO_CUSTOMER else (name[0], name[3])),
        rules=_rules(before, after),
        tiers=_of_two(before.tiers, after.tiers),
        months=sorted(_of_two(before.months, after.months), key=lambda change: (change.unit, change.name)),
        moves=_moves(before, after),
        budgets=_budgets(before, after),
        denials=_denials(before, after),
        rejected_before=before.rejected,
        rejected_after=after.rejected,
    )


def units_of(*rule_sets: RuleSet) -> dict[str, int]:
    """The decimals of the units that these rule sets declare; the first one that does counts."""
    found: dict[str, int] = {}
    for rule_set in rule_sets:
        for unit in rule_set.units:
            found.setdefault(unit.id, unit.decimals)
    return found


def _changes(
    before: Sums, after: Sums, name_of: Callable[[tuple[str, str, str, str]], tuple[str, str] | None]
) -> list[Change]:
    old: defaultdict[tuple[str, str], int] = defaultdict(int)
    new: defaultdict[tuple[str, str], int] = defaultdict(int)
    for side, into in ((before, old), (after, new)):
        for key, cell in side.cells.items():
            name = name_of(key)
            if name is not None:
                into[name] += cell.minor
    return _of_two(old, new)


def _of_two(before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]) -> list[Change]:
    changes = [
        Change(name=name, unit=unit, before_minor=old, after_minor=new, difference_minor=new - old)
        for (name, unit), (old, new) in _joined(before, after, 0).items()
    ]
    return sorted(changes, key=lambda change: (change.unit, -abs(change.difference_minor), change.name))


def _rules(before: Sums, after: Sums) -> list[RuleChange]:
    before_cells, after_cells = _cells_by_rule(before), _cells_by_rule(after)
    changes = [
        RuleChange(
            rule=rule,
            to=to,
            unit=unit,
            before_minor=old.minor,
            after_minor=new.minor,
            difference_minor=new.minor - old.minor,
            before_granted=old.granted,
            after_granted=new.granted,
            before_clamped=old.clamped,
            after_clamped=new.clamped,
            before_clamped_minor=old.clamped_minor,
            after_clamped_minor=new.clamped_minor,
        )
        for (rule, to, unit), (old, new) in _joined(before_cells, after_cells, Cell()).items()
    ]
    return sorted(changes, key=lambda change: (change.unit, -abs(change.difference_minor), change.rule, change.to))


def _cells_by_rule(sums: Sums) -> dict[tuple[str, str, str], Cell]:
    found: dict[tuple[str, str, str], Cell] = {}
    for (_, rule, to, unit), cell in sums.cells.items():
        found.setdefault((rule, to, unit), Cell()).add(cell)
    return found


def _moves(before: Sums, after: Sums) -> list[TierMove]:
    """Partners who end in another tier, by where they end on both sides."""
    partners: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for partner, (old, new) in _joined(before.tier_of, after.tier_of, "").items():
        if old != new:
            partners[old, new].append(partner)
    moves = [TierMove(before=old, after=new, partners=sorted(found)) for (old, new), found in partners.items()]
    return sorted(moves, key=lambda move: (-len(move.partners), move.before, move.after))


def _budgets(before: Sums, after: Sums) -> list[BudgetUse]:
    uses = [
        BudgetUse(
            budget=budget,
            period=period,
            unit=unit,
            amount_minor=amount_minor,
            when_spent=when_spent,
            before_minor=old,
            after_minor=new,
        )
        for (budget, period, amount_minor, unit, when_spent), (old, new) in _joined(
            before.budgets, after.budgets, 0
        ).items()
    ]
    return sorted(uses, key=lambda use: (use.budget, use.period, use.unit, use.amount_minor, use.when_spent))


def _denials(before: Sums, after: Sums) -> list[DenialChange]:
    """Reasons that deny more or less often than before."""
    changes = [
        DenialChange(rule=rule, reason=reason, before=old, after=new)
        for (rule, reason), (old, new) in _joined(before.denials, after.denials, 0).items()
        if old != new
    ]
    return sorted(changes, key=lambda change: (-abs(change.after - change.before), change.rule, change.reason))


def _joined(before: Mapping[Key, Value], after: Mapping[Key, Value], nothing: Value) -> dict[Key, tuple[Value, Value]]:
    return {key: (before.get(key, nothing), after.get(key, nothing)) for key in (*before, *after)}
