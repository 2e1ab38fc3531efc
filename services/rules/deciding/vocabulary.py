"""What the paths and metrics of one rule set are: their kinds, their windows, and the leaves that judge them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from contracts.events import Activity, Customer, Deal, Lead, Link, PartnerProfile, Survey
from contracts.money import CURRENCY_DECIMALS, told_decimals
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Contest, Metric, Not, RuleSet
from services.rules.amounts.measures import Kind
from services.rules.clock.calendar import WindowStart, Zone
from services.rules.deciding.judge import Leaf

if TYPE_CHECKING:
    from services.rules.engines.probe import Probe

ATTRIBUTES: Final = "attributes."
STRUCTS: Final = {
    "customer": Customer,
    "lead": Lead,
    "deal": Deal,
    "survey": Survey,
    "activity": Activity,
    "link": Link,
}
"""Sections of an event's data, by the first word of their paths."""
PARTNER_FACTS: Final = frozenset({"id", *PartnerProfile.__struct_fields__})

_DATA: Final = Kind("data")
_KINDS: Final = {
    "partner.joined_at": Kind("time"),
    "deal.amount": Kind("amount"),
    "customer.annual_revenue": Kind("amount"),
    "customer.employees": Kind("number"),
}


class Vocabulary:
    """The names that one revision's conditions may use, and one leaf per comparison, shared by all who make it.

    Attributes:
        raised: Ids of the rewards whose percentage a milestone may have raised, under this revision or one before.
        probe: What watches the generated functions, for a second opinion; None for live events.
    """

    def __init__(self, rules: RuleSet, raised: frozenset[str] = frozenset(), probe: Probe | None = None) -> None:
        self.programme = rules.programme
        self.raised = raised | raised_by(rules)
        self.probe = probe
        self.decimals = CURRENCY_DECIMALS | {unit.id: unit.decimals for unit in rules.units}
        told = {unit.id: told_decimals(unit.id, unit.decimals) for unit in rules.units}
        self.told_decimals = {unit: decimals for unit, decimals in told.items() if decimals is not None}
        """Of the units whose scale a decision has to tell, because nobody would assume it."""
        self.zone = Zone(rules.timezone)
        self._metrics = {metric.id: metric for metric in (*rules.metrics, *map(contest_metric, rules.contests))}
        self._starts = {metric.id: WindowStart(metric.window) for metric in rules.metrics}
        self._leaves: dict[tuple[Any, ...], Leaf] = {}

    def metric(self, path: str) -> Metric | None:
        """The metric of that name; None when the path is none."""
        return self._metrics.get(path)

    def starts(self, metric: Metric) -> WindowStart:
        return self._starts[metric.id]

    def kind(self, path: str) -> Kind:
        metric = self._metrics.get(path)
        if metric is not None:
            return Kind("mean" if metric.kind == "mean" else "sum", metric.unit)
        return _KINDS.get(path, _DATA)

    def depends_on_event(self, path: str) -> bool:
        """Whether the path's value may differ between two events although the partner's state is the same."""
        metric = self._metrics.get(path)
        if metric is not None:
            return metric.per_customer
        return not (path == "tier" or path.startswith("partner."))

    def leaf(self, comparison: Comparison, part: str) -> Leaf:
        """What judges the comparison where it stands in that part of the file."""
        key = (comparison.path, comparison.operator, comparison.literal, comparison.text, part)
        leaf = self._leaves.get(key)
        if leaf is None:
            leaf = self._leaves[key] = Leaf(comparison, part, self.kind(comparison.path), self.zone, self.decimals)
        return leaf


def contest_metric(contest: Contest) -> Metric:
    """What a contest counts, as a metric; no name that a file can write is its id."""
    return Metric(
        id=f"contest {contest.id}",
        kind=contest.kind,
        of=contest.of,
        on=contest.on,
        minus=contest.minus,
        unit=contest.unit,
    )


def raised_by(rules: RuleSet) -> frozenset[str]:
    """The rewards whose percentage a milestone of these rules raises."""
    return frozenset(each.raises.rule for each in rules.milestones if each.raises is not None)


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison of the tree, in file order."""
    match condition:
        case Comparison():
            yield condition
        case Not():
            yield from comparisons(condition.condition)
        case AllOf() | AnyOf():
            for each in condition.conditions:
                yield from comparisons(each)
