"""From a rule set to what evaluates it fast: one compiled revision with a generated function per event type.

Compiling does once what would else be done per event: which conditions, rewards and metrics an event type concerns,
where each path's value is, what a comparison's literal means. Live service, tests of rules and back-tests all use this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.ruleset import RuleSet
from services.rules.bounds.bounded import Bounds
from services.rules.deciding.vocabulary import Vocabulary
from services.rules.generate.event import DAY_CLOSED, Decide, EventRule, write_day_closed
from services.rules.generate.tiers import Tiers
from services.rules.terms.locking import pinned

if TYPE_CHECKING:
    from services.rules.engines.probe import Probe


class CompiledRevision:
    """One revision, ready to evaluate.

    Attributes:
        functions: Event type to what decides it; each is made when the first event of its type comes.
        raised: Ids of the rewards whose percentage a milestone may have raised by the end of this revision.
        zone: In which days are counted.
        needs_customers: Whether anything is remembered per customer.
        in_force: Of what a pinned referral is decided by, the revision that is in force; None else.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        revision: int,
        digest: str,
        raised: frozenset[str] = frozenset(),
        in_force: int | None = None,
        probe: Probe | None = None,
    ) -> None:
        self.rule_set = rule_set
        self.programme = rule_set.programme
        self.revision = revision
        self.digest = digest
        self.in_force = in_force
        vocabulary = Vocabulary(rule_set, raised, probe)
        self.raised = vocabulary.raised
        self.zone = vocabulary.zone
        self.functions = _Functions(rule_set, revision, vocabulary, in_force)
        self.needs_customers = self.functions.bounds.needs_customers or any(
            metric.per_customer for metric in rule_set.metrics
        )


class _Functions(dict[str, Decide]):
    """Event type to its function; fills itself."""

    def __init__(self, rule_set: RuleSet, revision: int, vocabulary: Vocabulary, in_force: int | None) -> None:
        super().__init__()
        self._rule_set = rule_set
        self._revision = revision
        self._vocabulary = vocabulary
        self._tiers = Tiers(rule_set, revision if in_force is None else in_force, self._vocabulary)
        self.bounds = Bounds(rule_set, revision, self._vocabulary)

    def __missing__(self, event_type: str) -> Decide:
        if event_type == DAY_CLOSED:
            function = self[event_type] = write_day_closed(self._rule_set, self._revision, self._vocabulary)
            return function
        rule = EventRule(self._rule_set, self._revision, self._vocabulary, self._tiers, self.bounds, event_type)
        function = self[event_type] = rule.function()
        return function


def compile_rule_set(
    rule_set: RuleSet,
    *,
    revision: int,
    digest: str = "",
    raised: frozenset[str] = frozenset(),
    probe: Probe | None = None,
) -> CompiledRevision:
    """Compile a rule set that passed the checks.

    `raised` are the rewards that milestones of earlier revisions may have raised: what they raised stays raised. With a
    `probe`, the functions tell it what they saw; without one they have no line more.
    """
    return CompiledRevision(rule_set, revision, digest, raised, probe=probe)


def compile_pinned(old: CompiledRevision, in_force: CompiledRevision) -> CompiledRevision:
    """What decides a referral that is pinned to an old revision while another one is in force."""
    rule_set = pinned(old.rule_set, old.revision, in_force.rule_set)
    compiled = CompiledRevision(rule_set, old.revision, old.digest, in_force.raised, in_force.revision)
    compiled.functions.bounds.has_lasts |= in_force.functions.bounds.has_lasts
    return compiled
