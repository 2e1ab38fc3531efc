"""Tiers (docs/rules.md#order, step 7): the last one in the list that holds on the partner's clock day, if it is higher.

The step belongs to every event, also to one that earns nothing. It is passed over where looking again would find what
was found last time. The function must have the locals `state`, `event`, `data`, `tier`, `clock`, `begun` and `made`.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.decisions import RULE_TIER, Decision, TraceLine
from contracts.errors import InvariantBroken
from contracts.events import Event
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, RuleSet, Tier
from services.rules.decide import Case, change_tier, decide
from services.rules.generate.case import write_case
from services.rules.generate.conditions import Conditions
from services.rules.generate.reads import Reads
from services.rules.generate.source import Source
from services.rules.series import series_id
from services.rules.state import NEVER, PartnerState
from services.rules.vocabulary import Vocabulary, comparisons

TIER_ASSIGNED = "partner.tier_assigned"


class Tiers:
    """The tiers of one revision.

    Attributes:
        first: Where everyone starts; None without tiers.
        series: The series that conditions of tiers read.
    """

    def __init__(self, rules: RuleSet, revision: int, vocabulary: Vocabulary) -> None:
        self._revision = revision
        self._vocabulary = vocabulary
        self._above = rules.tiers[1:]
        self.first = rules.tiers[0].id if rules.tiers else None
        self.place = {tier.id: place for place, tier in enumerate(rules.tiers)}
        conditions = [tier.when for tier in self._above if tier.when is not None]
        paths = {each.path for condition in conditions for each in comparisons(condition)}
        metrics = [metric for path in paths if (metric := vocabulary.metric(path)) is not None]
        self.series = {series_id(metric) for metric in metrics}
        # Then every event may change the outcome.
        self._needs_event = any(vocabulary.depends_on_event(path) for path in paths)
        # When windows that hold nothing negative move on, what they hold can only fall.
        self._only_falls = all(self._falls(condition) for condition in conditions)

    def unsettled(self) -> str:
        """Expression: whether looking at the tiers could find anything new."""
        if not self._above:
            return "False"
        if self._needs_event:
            return "True"
        stands = "state.settled_day != clock"
        if self._only_falls:
            stands = f"({stands} and state.has_negative)"
        return f"state.settled_by != {int(self._revision)} or {stands}"

    def write(self, reads: Reads) -> None:
        """Write what raises the tier; from the next event on."""
        source = reads.source
        if not self._above:
            return
        with source.block(f"if {self.unsettled()}:"):
            places = source.constant(self.place)
            source.add(f"place = {places}.get(tier, 0)")
            head = "if"
            tests = []
            with source.block(f"if place < {len(self._above)}:"):
                for place, tier in reversed(list(enumerate(self._above, 1))):
                    condition = _when(tier)
                    test = Conditions(reads, RULE_TIER, "clock").tested(condition)
                    tests.append((place, tier, f"place < {place} and ({test})"))
                for _, tier, test in tests:
                    with source.block(f"{head} {test}:"):
                        id, change = source.constant(tier.id), source.constant(change_tier)
                        trace = f"{source.constant(self._trace_of(tier, reads))}(state, event, data, tier, clock)"
                        source.add(f"made.append({change}({write_case(reads)}, tier, {id}, {trace}))")
                        source.add(f"state.tier = {id}")
                    head = "elif"
                # A condition may ask for the tier itself, so after a change the next event looks again.
                with source.block("else:"):
                    source.add(f"state.settled_by = {int(self._revision)}; state.settled_day = clock")
            with source.block("else:"):
                source.add(f"state.settled_by = {int(self._revision)}; state.settled_day = clock")

    def _trace_of(self, tier: Tier, reads: Reads) -> Callable[..., tuple[TraceLine, ...]]:
        source = Source("state, event, data, tier, clock")
        own = Reads(source, self._vocabulary, reads.event_type, self._revision)
        judged = Conditions(own, RULE_TIER, "clock").judged(_when(tier))
        source.add(f"return ({''.join(f'{line}, ' for line in judged.trace)})")
        trace: Callable[..., tuple[TraceLine, ...]] = source.function()
        return trace

    def _falls(self, condition: Condition) -> bool:
        """Whether time alone, with nothing new counted, can only turn the condition from met to not met."""
        match condition:
            case Comparison():
                is_total = self._vocabulary.kind(condition.path).name == "sum"
                return condition.operator in {">", ">="} if is_total else condition.path.startswith("partner.")
            case Not():
                return False
            case AllOf() | AnyOf():
                return all(self._falls(each) for each in condition.conditions)

    def write_assignment(self, reads: Reads) -> None:
        """Write what sets the tier by hand."""
        places, assign = reads.source.constant(self.place), reads.source.constant(_assign)
        reads.source.add(f"made.append({assign}({write_case(reads)}, state, event, {places}))")


def _assign(case: Case, state: PartnerState, event: Event, places: dict[str, int]) -> Decision:
    """The tier set by hand; what the metrics say is looked at again from the next event on."""
    tier_to = event.data.tier or ""
    tier = state.tier
    state.settled_by = NEVER
    if tier_to not in places:
        return decide(case, RULE_TIER, f"no such tier: {tier_to}", (), tier)
    if tier_to == tier:
        return decide(case, RULE_TIER, f"already {tier_to}", (), tier)
    state.tier = tier_to
    return change_tier(case, tier, tier_to, ())


def _when(tier: Tier) -> Condition:
    if tier.when is None:
        raise InvariantBroken(f"the tier {tier.id} of a rule set that passed the checks has no condition")
    return tier.when
