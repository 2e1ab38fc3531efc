"""Tier reviews (docs/rules.md#order, step 2): the only time at which a tier can be lost.

At each review date that the partner's clock passes, the tier becomes what the metrics say at the last day before that
date, with everything taken so far. What was reached by hand or by choice is not lost. The function must have the locals
`state`, `event`, `data`, `clock`, `day` and `made`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from contracts.decisions import RULE_TIER, Decision, TraceLine
from contracts.events import Event, EventData
from contracts.ruleset import RuleSet, Tier, TierReview
from services.rules.clock.calendar import DAYS_REMEMBERED_MAX, date_of, day_of_date
from services.rules.deciding.decide import Case, change_tier
from services.rules.deciding.vocabulary import Vocabulary, comparisons
from services.rules.generate.case import write_case
from services.rules.generate.conditions import Conditions
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source
from services.rules.states.state import NEVER, PartnerState

_MONTHS: Final[dict[TierReview, int]] = {"monthly": 1, "quarterly": 3, "yearly": 12}
ASSIGNED: Final = frozenset({"hand", "choice"})
"""How a tier is reached that no review takes away."""


class Reviews:
    """The reviews of one revision."""

    def __init__(self, rules: RuleSet, revision: int, vocabulary: Vocabulary) -> None:
        self.are_held = bool(rules.tiers) and rules.tier_review != "never"
        self._kind = rules.tier_review
        self._revision = revision
        self._vocabulary = vocabulary
        self._tiers = rules.tiers
        self._place = {tier.id: place for place, tier in enumerate(rules.tiers)}
        self._next = NextReview(_MONTHS.get(rules.tier_review, 12))
        conditions = [tier.when for tier in rules.tiers if tier.when is not None]
        read = {each.path for condition in conditions for each in comparisons(condition)}
        metrics = [metric for metric in rules.metrics if metric.id in read]
        self._starts = [vocabulary.starts(each) for each in metrics if each.window.duration or each.window.this]

    def write(self, reads: Reads) -> None:
        """Write the reviews between the old clock day and the new one."""
        source = reads.source
        with source.block(f"if {source.constant(self._next)}[clock] <= day:"):
            reviewer = source.constant(self._reviewer(reads.event_type))
            source.add(f"made += {reviewer}({write_case(reads)}, state, event, data, clock, day)")

    def _reviewer(self, event_type: str) -> Callable[..., list[Decision]]:
        judge = self._judge(event_type)
        traces = [self._trace_of(tier, event_type) for tier in self._tiers]

        def review(
            case: Case, state: PartnerState, event: Event, data: EventData, clock: int, day: int
        ) -> list[Decision]:
            made: list[Decision] = []
            kept = self._kept(state)
            on = self._next[clock]
            while on <= day:
                tier = state.tier or ""
                place = max(judge(state, event, data, tier, on - 1), kept)
                tier_to = self._tiers[place].id
                if tier_to != tier:
                    asked = {self._place.get(tier, 0), place}
                    trace = (
                        self._line(on),
                        *(line for each in sorted(asked) for line in traces[each](state, event, data, tier, on - 1)),
                    )
                    made.append(change_tier(case, tier, tier_to, trace, date_of(on).isoformat()))
                    state.tier = tier_to
                    state.settled_by = NEVER
                elif all(start[on - 1] > clock for start in self._starts):
                    # No window reaches what was taken, so that no later review can find anything else.
                    break
                on = self._next[on]
            return made

        return review

    def _kept(self, state: PartnerState) -> int:
        """The place below which no review takes the partner."""
        place = self._place.get(state.assigned or "", 0)
        return place if self._tiers[place].by in ASSIGNED else 0

    def _line(self, on: int) -> TraceLine:
        return TraceLine(f"tier_review: {self._kind}", f"{date_of(on)}, as of {date_of(on - 1)}", "met", RULE_TIER)

    def _judge(self, event_type: str) -> Callable[..., int]:
        """A function that tells the place of the last tier whose `when` holds on the day."""
        source = Source("state, event, data, tier, clock")
        reads = Reads(source, self._vocabulary, event_type, self._revision)
        for place, tier in reversed(list(enumerate(self._tiers))):
            if tier.when is not None:
                source.add(f"if {Conditions(reads, RULE_TIER, 'clock').tested(tier.when)}: return {place}")
        source.add("return 0")
        judge: Callable[..., int] = source.function()
        return judge

    def _trace_of(self, tier: Tier, event_type: str) -> Callable[..., tuple[TraceLine, ...]]:
        return trace_function(tier, self._vocabulary, event_type, self._revision)


def trace_function(
    tier: Tier, vocabulary: Vocabulary, event_type: str, revision: int
) -> Callable[..., tuple[TraceLine, ...]]:
    """A function that tells how the tier's `when` is judged; without one there is nothing to tell."""
    source = Source("state, event, data, tier, clock")
    reads = Reads(source, vocabulary, event_type, revision)
    lines: list[str] = []
    if tier.when is not None:
        lines = Conditions(reads, RULE_TIER, "clock").judged(tier.when).trace
    source.add(f"return ({''.join(f'{line}, ' for line in lines)})")
    trace: Callable[..., tuple[TraceLine, ...]] = source.function()
    return trace


class NextReview(dict[int, int]):
    """From a day to the first review date after it: the first local day of a month, quarter or year; fills itself."""

    def __init__(self, months: int) -> None:
        super().__init__()
        self._months = months

    def __missing__(self, day: int) -> int:
        if len(self) >= DAYS_REMEMBERED_MAX:
            self.clear()
        on = date_of(day)
        year, month = divmod(on.year * 12 + (on.month - 1) // self._months * self._months + self._months, 12)
        first = self[day] = day_of_date(date(year, month + 1, 1)) if year <= date.max.year else _NEVER_DAY
        return first


_NEVER_DAY: Final = 2**31 - 1
"""After the calendar's end."""
