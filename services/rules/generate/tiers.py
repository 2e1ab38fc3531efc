"""Tiers (docs/rules.md#order, step 8): the last one in the list that holds on the partner's clock day, if it is higher.

The step belongs to every event, also to one that earns nothing. It is passed over where looking again would find what
was found last time. The function must have the locals `state`, `event`, `data`, `tier`, `clock`, `begun` and `made`.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.decisions import RULE_TIER, Decision, TraceLine
from contracts.errors import InvariantBroken
from contracts.events import Event
from contracts.money import format_money
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Not, RuleSet, Tier
from services.rules.deciding.decide import Case, change_tier, decide
from services.rules.deciding.vocabulary import Vocabulary, comparisons
from services.rules.generate.case import write_case
from services.rules.generate.conditions import Conditions
from services.rules.generate.reads import Reads
from services.rules.generate.reviews import ASSIGNED, trace_function
from services.rules.states.series import series_id
from services.rules.states.state import NEVER, PartnerState

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
        # Those reached by hand or choice are reached by no metrics.
        self._above = [(place, tier) for place, tier in enumerate(rules.tiers) if tier.when is not None]
        self._highest = self._above[-1][0] if self._above else 0
        self._assignable = {tier.id: tier for tier in rules.tiers}
        self.first = rules.tiers[0].id if rules.tiers else None
        self.place = {tier.id: place for place, tier in enumerate(rules.tiers)}
        conditions = [tier.when for _, tier in self._above if tier.when is not None]
        paths = {each.path for condition in conditions for each in comparisons(condition)}
        metrics = [metric for path in paths if (metric := vocabulary.metric(path)) is not None]
        self.series = {series_id(metric) for metric in metrics}
        # Then every event may change the outcome, rates as well.
        self._needs_event = any(vocabulary.depends_on_event(path) for path in paths) or any(
            vocabulary.leaf(each, RULE_TIER).converts for condition in conditions for each in comparisons(condition)
        )
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
        if self._vocabulary.probe is not None:
            self._vocabulary.probe.write_tiers(reads)
        with source.block(f"if {self.unsettled()}:"):
            places = source.constant(self.place)
            source.add(f"place = {places}.get(tier, 0)")
            head = "if"
            tests = []
            with source.block(f"if place < {self._highest}:"):
                for place, tier in reversed(self._above):
                    test = Conditions(reads, RULE_TIER, "clock").tested(_when(tier))
                    tests.append((place, tier, f"place < {place} and ({test})"))
                for _, tier, test in tests:
                    with source.block(f"{head} {test}:"):
                        id, change = source.constant(tier.id), source.constant(change_tier)
                        trace = source.constant(self._trace_of(tier, reads.event_type))
                        trace = f"{trace}(state, event, data, tier, clock)"
                        source.add(f"made.append({change}({write_case(reads)}, tier, {id}, {trace}))")
                        source.add(f"state.tier = {id}")
                    head = "elif"
                # A condition may ask for the tier itself, so after a change the next event looks again.
                with source.block("else:"):
                    source.add(f"state.settled_by = {int(self._revision)}; state.settled_day = clock")
            with source.block("else:"):
                source.add(f"state.settled_by = {int(self._revision)}; state.settled_day = clock")

    def _trace_of(self, tier: Tier, event_type: str) -> Callable[..., tuple[TraceLine, ...]]:
        return trace_function(tier, self._vocabulary, event_type, self._revision)

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
        """Write what sets the tier by hand, or as the partner chose."""
        assign = reads.source.constant(self._assign)
        reads.source.add(f"made.append({assign}({write_case(reads)}, state, event))")

    def _assign(self, case: Case, state: PartnerState, event: Event) -> Decision:
        """The tier set by an event; what the metrics say is looked at again from the next event on.

        Another assignment ends the one before, so a tier that no review takes away is left by being assigned another.
        """
        tier_to = event.data.tier or ""
        tier = state.tier
        state.settled_by = NEVER
        assigned = self._assignable.get(tier_to)
        if assigned is None:
            return decide(case, RULE_TIER, f"no such tier: {tier_to}", (), tier)
        state.assigned = tier_to if assigned.by in ASSIGNED else None
        if tier_to == tier:
            return decide(case, RULE_TIER, f"already {tier_to}", (), tier)
        state.tier = tier_to
        return change_tier(case, tier, tier_to, self._price_of(assigned))

    def _price_of(self, tier: Tier) -> tuple[TraceLine, ...]:
        """What the partner pays for a tier of their choice; it is told, and charged by whoever sells it."""
        price = tier.price
        if price is None:
            return ()
        text = format_money(price.amount, self._vocabulary.decimals.get(price.amount.unit))
        return (TraceLine("price", text if price.per == "ever" else f"{text} per {price.per}", "met", RULE_TIER),)


def _when(tier: Tier) -> Condition:
    if tier.when is None:
        raise InvariantBroken(f"the tier {tier.id} of a rule set that passed the checks has no condition")
    return tier.when
