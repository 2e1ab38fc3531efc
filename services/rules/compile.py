"""From a rule set to what evaluates it fast: one compiled revision with a plan per event type.

Compiling does once what would else be done per event: which conditions, rewards and metrics an event type concerns,
where each path's value is, what a comparison's literal means. Live service, tests of rules and back-tests all use this.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.errors import InvariantBroken
from contracts.money import CURRENCY_DECIMALS
from contracts.ruleset import AllOf, AnyOf, Comparison, Condition, Lookup, Not, Reward, RuleSet, Tier
from services.rules.amounts import AmountRule, base_paths
from services.rules.calendar import Zone
from services.rules.conditions import Judge, MakeLeaf, Test, comparisons, compile_condition, compile_test
from services.rules.considered import Considered, RewardRule
from services.rules.facts import ONCE
from services.rules.judge import Leaf
from services.rules.slots import Fill, SlotMap
from services.rules.takers import Take, series_id, takers_of

LEAD_QUALIFIED: str = "lead.qualified"
LEAD_EVENTS = frozenset({"lead.registered", LEAD_QUALIFIED})
"""Events at which a lead can qualify."""
QUALIFIED_DEALS = frozenset({"deal.won", "deal.renewed"})
"""Events that `qualified.deal` is asked of."""
REFUND = "deal.refunded"


class Plan:
    """What an event type concerns.

    Attributes:
        fill: Makes the slots of an event.
        eligible_partner, eligible_customer, qualified_deal: None where they are not asked.
        deal_qualifies: What `qualified_deal` answers first, for less.
        always_has_customer_asked: Whether `eligible.customer` is asked even of an event without a customer.
        asks_lead: Whether a lead may qualify at this type.
        rewards: On this type.
        rewards_at_qualification: On this type or on `lead.qualified`, for an event at which a lead qualifies.
        takers, takers_at_qualification: The same for metrics.
        happen: Makes the type's business fact happen; None for a type that may come any number of times.
        moves_tiers: Whether an event of this type may change what tiers are judged on.
        is_idle: Nothing but the partner's clock and tier can change.
    """

    def __init__(self, revision: CompiledRevision, event_type: str) -> None:
        rules = revision.rule_set
        is_refund = event_type == REFUND
        self.happen = ONCE.get(event_type)
        self.eligible_partner = None if is_refund else revision.eligible_partner
        self.eligible_customer = None if is_refund else revision.eligible_customer
        self.always_has_customer_asked = event_type.startswith(("lead.", "deal."))
        self.qualified_deal = revision.qualified_deal if event_type in QUALIFIED_DEALS else None
        self.deal_qualifies = revision.deal_qualifies
        self.is_lead_qualified = event_type == LEAD_QUALIFIED
        by_crm = self.is_lead_qualified and rules.crm_qualifies
        self.asks_lead = event_type in LEAD_EVENTS and (rules.qualified_lead is not None or by_crm)
        self.by_crm = by_crm

        self.rewards = revision.considered({event_type})
        self.rewards_at_qualification = self.rewards
        takers = takers_of(event_type, rules.metrics, revision.slots.slot)
        takers_at_qualification = takers
        if event_type in LEAD_EVENTS and not self.is_lead_qualified:
            self.rewards_at_qualification = revision.considered({event_type, LEAD_QUALIFIED})
            takers_at_qualification = (*takers, *takers_of(LEAD_QUALIFIED, rules.metrics, revision.slots.slot))
        self.takers: tuple[Take, ...] = tuple(taker.take for taker in takers)
        self.takers_at_qualification: tuple[Take, ...] = tuple(taker.take for taker in takers_at_qualification)
        self.is_idle = not (
            self.rewards_at_qualification.rules or self.takers_at_qualification or event_type in LEAD_EVENTS
        )
        self.moves_tiers = any(taker.series in revision.tier_series for taker in takers_at_qualification)
        self.fill: Fill = revision.slots.compile_fill(revision.paths_for(event_type))


class Plans(dict[str, Plan]):
    """Event type to its plan; fills itself."""

    def __init__(self, revision: CompiledRevision) -> None:
        super().__init__()
        self._revision = revision

    def __missing__(self, event_type: str) -> Plan:
        plan = self[event_type] = Plan(self._revision, event_type)
        return plan


class TierRule:
    """One tier above the first, compiled."""

    __slots__ = ("holds", "id", "when")

    def __init__(self, id: str, when: Judge, holds: Test) -> None:
        self.id = id
        self.when = when
        self.holds = holds


class CompiledRevision:
    """One revision, ready to evaluate.

    Attributes:
        tiers: All but the first, in file order.
        tier_index: Tier to its place, the first being 0.
        tier_series, tier_slots: What the tiers' conditions read.
        gate_is_profile: Whether `eligible.partner` reads nothing but the partner's profile.
        tiers_only_fall: Whether time alone can never raise a partner's tier, as long as nothing counted is negative.
        tiers_need_event: Whether a tier's condition reads the event itself, so that every event may change the outcome.
    """

    def __init__(self, rule_set: RuleSet, revision: int, digest: str) -> None:
        self.rule_set = rule_set
        self.programme = rule_set.programme
        self.revision = revision
        self.digest = digest
        self.zone = Zone(rule_set.timezone)
        self.has_customer_metrics = any(metric.per_customer for metric in rule_set.metrics)
        self._decimals = CURRENCY_DECIMALS | {unit.id: unit.decimals for unit in rule_set.units}
        self.slots = SlotMap(rule_set.metrics, series_id)
        self._reserve_slots()
        self.eligible_partner = self._judge(rule_set.eligible_partner, "eligible.partner")
        self.eligible_customer = self._judge(rule_set.eligible_customer, "eligible.customer")
        self.qualified_lead = self._judge(rule_set.qualified_lead, "qualified.lead")
        self.qualified_deal = self._judge(rule_set.qualified_deal, "qualified.deal")
        asked = rule_set.qualified_deal
        self.deal_qualifies = (
            None if asked is None else compile_test(asked, self._leaves("qualified.deal"), self.slots.readers)
        )
        self._rewards = [self._reward(reward) for reward in rule_set.rewards]
        self.first_tier = rule_set.tiers[0].id if rule_set.tiers else None
        self.tier_index = {tier.id: index for index, tier in enumerate(rule_set.tiers)}
        self.tiers = [self._tier(tier) for tier in rule_set.tiers[1:]]
        tier_paths = _paths(tier.when for tier in rule_set.tiers)
        self.tier_series = {series_id(metric) for metric in rule_set.metrics if metric.id in tier_paths}
        self.tier_slots = [self.slots.slot(path) for path in sorted(tier_paths) if self.slots.is_metric(path)]
        gate_paths = _paths([rule_set.eligible_partner])
        self.gate_is_profile = all(path.startswith("partner.") for path in gate_paths)
        self.tiers_need_event = any(self.slots.depends_on_event(path) for path in tier_paths)
        self.tiers_only_fall = all(tier.when is None or self._only_falls(tier.when) for tier in rule_set.tiers)
        self.plans = Plans(self)

    def considered(self, event_types: set[str]) -> Considered:
        """The rewards on any of these event types, in file order."""
        pairs = [
            (rule, reward.when)
            for rule, reward in zip(self._rewards, self.rule_set.rewards, strict=True)
            if event_types.intersection(reward.on)
        ]
        slot_of = {
            comparison.path: self.slots.slot(comparison.path)
            for _, when in pairs
            if when is not None
            for comparison in comparisons(when)
        }
        return Considered([rule for rule, _ in pairs], [when for _, when in pairs], slot_of)

    def paths_for(self, event_type: str) -> set[str]:
        """Every path that an event of this type may need."""
        rules = self.rule_set
        types = {event_type}
        conditions = [rules.eligible_partner, rules.eligible_customer, *(tier.when for tier in rules.tiers)]
        if event_type in LEAD_EVENTS:
            types.add(LEAD_QUALIFIED)
            conditions.append(rules.qualified_lead)
        if event_type in QUALIFIED_DEALS:
            conditions.append(rules.qualified_deal)
        rewards = [reward for reward in rules.rewards if types.intersection(reward.on)]
        conditions += [reward.when for reward in rewards]
        paths = _paths(conditions)
        for reward in rewards:
            paths.update(_amount_paths(reward))
        for metric in rules.metrics:
            if metric.of is not None and (types.intersection(metric.on) or event_type == metric.minus):
                paths.add(metric.of)
        return paths

    def _reserve_slots(self) -> None:
        rules = self.rule_set
        every = [
            rules.eligible_partner,
            rules.eligible_customer,
            rules.qualified_lead,
            rules.qualified_deal,
            *(tier.when for tier in rules.tiers),
            *(reward.when for reward in rules.rewards),
        ]
        paths = _paths(every)
        for reward in rules.rewards:
            paths.update(_amount_paths(reward))
        paths.update(metric.of for metric in rules.metrics if metric.of is not None)
        for path in sorted(paths):
            self.slots.slot(path)

    def _judge(self, condition: Condition | None, part: str) -> Judge | None:
        return None if condition is None else self._judge_always(condition, part)

    def _judge_always(self, condition: Condition, part: str) -> Judge:
        return compile_condition(condition, self._leaves(part), self.slots.readers)

    def _leaves(self, part: str) -> MakeLeaf:
        def make_leaf(comparison: Comparison) -> tuple[Leaf, int, bool]:
            path = comparison.path
            leaf = Leaf(comparison, part, self.slots.kind(path), self.zone, self._decimals)
            return leaf, self.slots.slot(path), self.slots.is_metric(path)

        return make_leaf

    def _only_falls(self, condition: Condition) -> bool:
        """Whether time alone, with nothing new counted, can only turn the condition from met to not met."""
        match condition:
            case Comparison():
                is_total = self.slots.kind(condition.path).name == "sum"
                return condition.operator in {">", ">="} if is_total else condition.path.startswith("partner.")
            case Not():
                return False
            case AllOf() | AnyOf():
                return all(self._only_falls(each) for each in condition.conditions)

    def _tier(self, tier: Tier) -> TierRule:
        if tier.when is None:
            raise InvariantBroken(f"the tier {tier.id} of a rule set that passed the checks has no condition")
        holds = compile_test(tier.when, self._leaves("tier"), self.slots.readers)
        return TierRule(tier.id, self._judge_always(tier.when, "tier"), holds)

    def _reward(self, reward: Reward) -> RewardRule:
        slot_of = {path: self.slots.slot(path) for path in _amount_paths(reward)}
        return RewardRule(reward, self._judge(reward.when, "when"), AmountRule(reward, slot_of, self._decimals))


def compile_rule_set(rule_set: RuleSet, *, revision: int, digest: str = "") -> CompiledRevision:
    """Compile a rule set that passed the checks.

    Raises:
        InvariantBroken: It reads a path that there is not.
    """
    return CompiledRevision(rule_set, revision, digest)


def _paths(conditions: Iterable[Condition | None]) -> set[str]:
    return {
        comparison.path for condition in conditions if condition is not None for comparison in comparisons(condition)
    }


def _amount_paths(reward: Reward) -> set[str]:
    paths = set(base_paths(reward))
    if isinstance(reward.give, Lookup):
        paths.add(reward.give.by)
    return paths
