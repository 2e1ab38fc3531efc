"""Milestones (docs/rules.md#order, step 7): what is given, or raised, when a metric crosses a mark for the first time.

Before < mark <= after, of everything that the metric has taken, whatever day it belongs to: a late event crosses a mark
as well. A mark that was crossed once is never crossed again, however the metric falls and rises. The function must
have the locals `state`, `day`, `clock`, `tier` and `made`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from contracts.decisions import Decision, TraceLine
from contracts.money import PPM, Money, format_money
from contracts.ruleset import Metric, Milestone, Number, RuleSet
from services.rules.amounts.measures import describe, number_text
from services.rules.amounts.whole import WholeAmounts, without_share
from services.rules.bounds.bounded import Bounds
from services.rules.clock.calendar import LIFETIME
from services.rules.deciding.decide import Case, decide
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.generate.case import write_case
from services.rules.generate.reads import Reads
from services.rules.states.series import series_id
from services.rules.states.state import PartnerState

PART: Final = "milestone"
MULTIPLES_MAX: Final = 10_000
"""Multiples that one event may cross; beyond it a slip is likelier than a promise, and nothing is given."""


class Milestones:
    """The milestones of one revision, by the metric that crosses them."""

    def __init__(self, rules: RuleSet, vocabulary: Vocabulary, bounds: Bounds) -> None:
        amounts = WholeAmounts(bounds, vocabulary)
        self._places = {milestone.id: place for place, milestone in enumerate(rules.milestones)}
        self._crossings = {
            metric.id: Crossing(metric, milestones, vocabulary, amounts)
            for metric in rules.metrics
            if (milestones := [each for each in rules.milestones if each.metric == metric.id])
        }

    def write_before(self, reads: Reads, taken: Iterable[int | None]) -> list[tuple[Crossing, str]]:
        """Write what keeps the metrics that these series may move; returns them with the local that holds each."""
        series = set(taken)
        moved = [each for each in self._crossings.values() if series_id(each.metric) in series]
        return [(crossing, crossing.write_value(reads)) for crossing in moved]

    def write_after(self, reads: Reads, kept: list[tuple[Crossing, str]]) -> None:
        """Write what decides the marks that were crossed since; the decisions are in file order, whatever crossed."""
        source = reads.source
        into = "made"
        if len(kept) > 1:
            into = "crossed"
            source.add("crossed = []")
        for crossing, before in kept:
            after = crossing.write_value(reads)
            with source.block(f"if {after} != {before}:"):
                decide_all = source.constant(crossing.decide)
                source.add(f"{into} += {decide_all}({write_case(reads)}, state, day, tier, {before}, {after})")
        if len(kept) > 1:
            source.add(f"if crossed: made += {source.constant(self._in_file_order)}(crossed)")

    def _in_file_order(self, decisions: list[Decision]) -> list[Decision]:
        return sorted(decisions, key=lambda decision: self._places[decision.rule])


class _Span(NamedTuple):
    """Marks `first` to `last`, `step` apart, in the metric's smallest units."""

    first: int
    last: int
    step: int

    def marks(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1, self.step))


class Crossing:
    """What happens when one metric moves."""

    def __init__(
        self, metric: Metric, milestones: list[Milestone], vocabulary: Vocabulary, amounts: WholeAmounts
    ) -> None:
        self.metric = metric
        self._milestones = milestones
        self._decimals = vocabulary.decimals
        self._amounts = amounts
        self._kind = vocabulary.kind(metric.id)

    def write_value(self, reads: Reads) -> str:
        """Write what reads the metric now, with all that was ever taken."""
        source = reads.source
        name, series = source.fresh("m"), reads.series(self.metric.id)
        nothing = "None" if self.metric.kind == "mean" else "0"
        source.add(f"{name} = {series}.between({LIFETIME}, clock) if {series} else {nothing}")
        return name

    def decide(
        self, case: Case, state: PartnerState, day: int, tier: str | None, before: Any, after: Any
    ) -> list[Decision]:
        """What the move from `before` to `after` brings."""
        made: list[Decision] = []
        for milestone in self._milestones:
            span = self._crossed(milestone, before, after)
            if span is None or (milestone.every is None and milestone.id in state.marks):
                continue
            known = state.marks.get(milestone.id, [])
            marks = [mark for mark in span.marks() if not _is_in(mark, known)] if _fits(span) else [span.last]
            state.marks[milestone.id] = _with_span(known, span)
            for mark in marks:
                text = self._mark_text(mark)
                saw = f"{self._text(before)}, then {self._text(after)}"
                line = TraceLine(f"{self.metric.id} reaches {text}", saw, "met", PART)
                occasion = "" if milestone.every is None else text
                if _fits(span):
                    made.append(self._grant(case, state, day, tier, milestone, line, occasion))
                else:
                    reason = f"more than {MULTIPLES_MAX} multiples at one event"
                    made.append(decide(without_share(case), milestone.id, reason, (line,), tier, occasion=occasion))
        return made

    def _grant(
        self,
        case: Case,
        state: PartnerState,
        day: int,
        tier: str | None,
        milestone: Milestone,
        line: TraceLine,
        occasion: str,
    ) -> Decision:
        if milestone.give is not None:
            return self._amounts.grant(case, milestone.id, milestone.give, day, tier, (line,), occasion)
        assert milestone.raises is not None
        rule, by_ppm = milestone.raises.rule, milestone.raises.by_ppm
        state.raises[rule] = state.raises.get(rule, 0) + by_ppm
        return decide(
            without_share(case), milestone.id, "", (line,), tier, occasion=occasion, percent_ppm=by_ppm, raises=rule
        )

    def _crossed(self, milestone: Milestone, before: Any, after: Any) -> _Span | None:
        """The marks between the two values, before the lower outside and the upper inside; None without any."""
        step = _smallest(milestone.at if milestone.every is None else milestone.every)
        low, high = max(self._multiples(before, step), 0), self._multiples(after, step)
        if milestone.every is None:
            return _Span(step, step, step) if low == 0 and high >= 1 else None
        return _Span((low + 1) * step, high * step, step) if high > low else None

    def _multiples(self, value: Any, step: int) -> int:
        """How many whole steps the value holds."""
        if value is None:
            return 0
        scale = PPM if self.metric.unit is None else 1
        if self.metric.kind == "mean":
            return int(value[0] * scale // (step * value[1]))
        return int(value * scale // step)

    def _mark_text(self, mark: int) -> str:
        unit = self.metric.unit
        return number_text(mark) if unit is None else format_money(Money(mark, unit), self._decimals.get(unit))

    def _text(self, value: Any) -> str:
        return "nothing" if value is None else describe(value, self._kind, self._decimals)


def _fits(span: _Span) -> bool:
    return (span.last - span.first) // span.step < MULTIPLES_MAX


def _smallest(mark: Money | Number | None) -> int:
    assert mark is not None
    return mark.amount_minor if isinstance(mark, Money) else mark.millionths


def _is_in(mark: int, spans: list[int]) -> bool:
    return any(low < mark <= high for low, high in zip(spans[::2], spans[1::2], strict=True))


def _with_span(spans: list[int], span: _Span) -> list[int]:
    """The spans with one more, those that touch made one."""
    low, high = span.first - span.step, span.last
    merged: list[int] = []
    for start, end in sorted([*zip(spans[::2], spans[1::2], strict=True), (low, high)]):
        if merged and start <= merged[-1]:
            merged[-1] = max(merged[-1], end)
        else:
            merged += (start, end)
    return merged
