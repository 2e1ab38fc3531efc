"""What one event means: `evaluate(state, event, revision) -> (state', decisions)`, the one implementation of the rules.

Pure: no clock, no randomness, no I/O; the same state, event and revision give the same decisions and the same bytes of
state. The tier used is the one before the event, and metrics are read before the event is counted. The live service,
tests of rules and back-tests call this function. The state is used up: it is changed in place and returned,
because copying it would cost more than deciding; purity shows in the bytes. Order: docs/rules.md#order.
"""

from __future__ import annotations

from contracts.decisions import RULE_LEAD_QUALIFIED, RULE_TIER, Decision, TraceLine
from contracts.events import EVENT_TYPES, Event
from services.rules.compile import CompiledRevision, Plan
from services.rules.decide import Case, event_digest
from services.rules.facts import is_repeat, lead_of, take_partner_facts
from services.rules.rewards import decide_rewards
from services.rules.slots import DAY, Slots
from services.rules.state import EVENT_HASH_BYTES, LEAD_QUALIFIED, PartnerState

TIER_ASSIGNED = "partner.tier_assigned"
PARTNER_TYPES = frozenset(each for each in EVENT_TYPES if each.startswith("partner."))
_BY_CRM = (TraceLine("event.type == lead.qualified", "lead.qualified", "met", RULE_LEAD_QUALIFIED),)
_NOT_SHOWN = "the deal does not qualify"
_CRM_IGNORED = f"{RULE_LEAD_QUALIFIED}: the source's own word does not count (crm: ignored)"


def evaluate(
    state: PartnerState, event: Event, revision: CompiledRevision | None
) -> tuple[PartnerState, list[Decision]]:
    """Decide one event of one partner.

    Args:
        state: The partner's, with the deal, lead, customer and seen day that the event touches. Not usable afterwards.
        event: With a partner; not a broadcast.
        revision: In force at the event's time; None before the first.

    Raises:
        PermanentError: Too late to tell whether the event was counted before; the state is as it was.
    """
    hashed = event_digest(event)
    if is_repeat(state, event, hashed.digest()[:EVENT_HASH_BYTES]):
        return state, []
    event_type = event.type
    if event_type in PARTNER_TYPES:
        take_partner_facts(state, event)
    if revision is None:
        case = Case(state, event, 0, hashed)
        case.deny_event("no programme yet")
        return state, case.decisions
    plan = revision.plans[event_type]
    happen = plan.happen
    if happen is not None:
        reason = happen(state, event)
        if reason:
            case = Case(state, event, revision.revision, hashed)
            case.deny_event(reason)
            return state, case.decisions

    day = revision.zone.day_of(event.time_ms)
    if state.clock_day is None or day > state.clock_day:
        state.clock_day = day
    if state.tier is None:
        state.tier = revision.first_tier
    if plan.is_idle and _is_settled(state, revision) and event_type != TIER_ASSIGNED:
        return state, []

    x = plan.fill(event, state, day)
    case = Case(state, event, revision.revision, hashed)
    tier = state.tier
    rules = () if plan.asks_lead else plan.rewards.select(x)
    blocked, trace = _gate(plan, revision, x, is_shown=bool(rules) or plan.asks_lead or plan.is_lead_qualified)
    is_qualified_now = plan.asks_lead and _qualify(state, event, revision, plan, case, x, blocked, trace)
    if plan.is_lead_qualified and not is_qualified_now and not blocked:
        blocked = case.decisions[0].reason if case.decisions else _CRM_IGNORED

    if plan.asks_lead:
        rules = (plan.rewards_at_qualification if is_qualified_now else plan.rewards).select(x)
    if rules:
        decide_rewards(case, rules, event, x, blocked, trace, tier)

    if not blocked:
        takers = plan.takers_at_qualification if is_qualified_now else plan.takers
        if takers:
            share_ppm = event.data.share_ppm
            for take in takers:
                take(x, share_ppm)
            if plan.moves_tiers:
                state.settled = None

    if event_type == TIER_ASSIGNED:
        _assign_tier(state, event, revision, case)
    elif not _is_settled(state, revision):
        _gain_tier(state, revision, case, x)
    return state, case.decisions


def _gate(plan: Plan, revision: CompiledRevision, x: Slots, *, is_shown: bool) -> tuple[str, tuple[TraceLine, ...]]:
    """Why the event can earn nothing and counts in no metric (empty: it can), and what was judged for it.

    When no decision will show it, only whether the event is blocked is right.
    """
    blocked = ""
    trace: tuple[TraceLine, ...] = ()
    if plan.eligible_partner is not None:
        judged = x[0].gate
        if judged is not None and judged[0] == revision.revision:
            _, blocked, trace = judged[1]
        else:
            answer = _, blocked, trace = plan.eligible_partner(x)
            if revision.gate_is_profile:
                x[0].gate = (revision.revision, answer)
    if plan.eligible_customer is not None and (plan.always_has_customer_asked or x[1] is not None):
        _, reason, lines = plan.eligible_customer(x)
        trace += lines
        blocked = blocked or reason
    if plan.qualified_deal is not None and not blocked:
        if not is_shown and plan.deal_qualifies is not None:
            return ("" if plan.deal_qualifies(x) else _NOT_SHOWN), trace
        _, blocked, lines = plan.qualified_deal(x)
        trace += lines
    return blocked, trace


def _qualify(
    state: PartnerState,
    event: Event,
    revision: CompiledRevision,
    plan: Plan,
    case: Case,
    x: Slots,
    blocked: str,
    trace: tuple[TraceLine, ...],
) -> bool:
    """Whether the event's lead qualifies at it: by a trusted source's word, else by the criteria; once."""
    assert event.data.lead is not None
    lead_id = event.data.lead.id
    lead = lead_of(state, lead_id)
    if lead.flags & LEAD_QUALIFIED:
        return False
    reason = blocked
    if not blocked:
        if plan.by_crm:
            trace += _BY_CRM
        elif revision.qualified_lead is not None:
            _, reason, lines = revision.qualified_lead(x)
            trace += lines
    if reason:
        case.rule_on(RULE_LEAD_QUALIFIED, reason, trace, state.tier)
        return False
    lead.flags |= LEAD_QUALIFIED
    state.changed_leads.add(lead_id)
    case.rule_on(RULE_LEAD_QUALIFIED, "", trace, state.tier)
    return True


def _is_settled(state: PartnerState, revision: CompiledRevision) -> bool:
    """Whether looking at the tiers again would find what it found last time."""
    if not revision.tiers:
        return True
    settled = state.settled
    if settled is None or settled[0] != revision.revision or revision.tiers_need_event:
        return False
    # When windows that hold nothing negative move on, what they hold can only fall.
    return settled[1] == state.clock_day or (revision.tiers_only_fall and not state.has_negative)


def _gain_tier(state: PartnerState, revision: CompiledRevision, case: Case, x: Slots) -> None:
    """Raise the tier to the last one that holds on the partner's clock day, if higher; from the next event on."""
    assert state.clock_day is not None
    current = revision.tier_index.get(state.tier or "", 0)
    if current < len(revision.tiers):
        x[DAY] = state.clock_day
        revision.slots.forget(x, revision.tier_slots)
        for tier in reversed(revision.tiers[current:]):
            if tier.holds(x):
                case.change_tier(state.tier, tier.id, tier.when(x)[2])
                state.tier = tier.id
                # A condition may ask for the tier itself, so the next event looks again.
                return
    state.settled = (revision.revision, state.clock_day)


def _assign_tier(state: PartnerState, event: Event, revision: CompiledRevision, case: Case) -> None:
    """Set the tier by hand; what the metrics say is looked at again from the next event on."""
    tier_to = event.data.tier or ""
    if tier_to not in revision.tier_index:
        case.rule_on(RULE_TIER, f"no such tier: {tier_to}", (), state.tier)
    elif tier_to == state.tier:
        case.rule_on(RULE_TIER, f"already {tier_to}", (), state.tier)
    else:
        case.change_tier(state.tier, tier_to, ())
        state.tier = tier_to
    state.settled = None
