"""`lock_terms: lead` (docs/rules.md#locked-terms): a referral keeps the rules under which its lead was registered.

Whoever registers a lead under a revision with `lock_terms: lead` is promised its rewards for that referral: whatever
comes later of this lead, and of a deal that names it, is decided by that revision, also when newer ones are in force. A
deal remembers the first such lead that one of its events names.

What an event earns is pinned; what counts and who stands where is everybody's. So `eligible`, `qualified`, rewards,
groups and terms are those of the pinned revision, and metrics, tiers, milestones, budgets and the calendar those of the
one in force. A metric that means something else by the same name goes by `name@revision`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from contracts.events import Event
from contracts.ruleset import AllOf, AnyOf, Brackets, Condition, Give, Lookup, Metric, Not, Rows, RuleSet, Terms
from services.rules.states.children import DealState
from services.rules.states.state import PartnerState

_GATES: Final = ("eligible_partner", "eligible_customer", "qualified_lead", "qualified_deal")


def locked_by(state: PartnerState, event: Event) -> int | None:
    """The number of the revision that the event's referral is pinned to; None when it is not."""
    data = event.data
    if data.deal is not None:
        deal = state.deals.get(data.deal.id)
        if deal is not None and deal.locked_by is not None:
            return deal.locked_by
    if data.lead is not None:
        lead = state.leads.get(data.lead.id)
        return None if lead is None else lead.locked_by
    return None


def lock_deal(state: PartnerState, deal: DealState, lead_id: str) -> None:
    """Let the deal remember what its lead is pinned to, unless it knows."""
    lead = state.leads.get(lead_id)
    if lead is not None and deal.locked_by is None:
        deal.locked_by = lead.locked_by


def pinned(old: RuleSet, revision: int, new: RuleSet) -> RuleSet:
    """The rule set for a referral that is pinned to `old`, whose number is `revision`, while `new` is in force."""
    known = {metric.id: _meaning(metric) for metric in new.metrics}
    renamed = {
        metric.id: f"{metric.id}@{revision}"
        for metric in old.metrics
        if metric.id in known and known[metric.id] != _meaning(metric)
    }
    metrics = [
        msgspec.structs.replace(metric, id=renamed.get(metric.id, metric.id))
        for metric in old.metrics
        if metric.id in renamed or metric.id not in known
    ]
    units = {unit.id: unit for unit in (*old.units, *new.units)}
    gates = {gate: _condition(getattr(old, gate), renamed) for gate in _GATES}
    return msgspec.structs.replace(
        new,
        units=tuple(units.values()),
        crm_qualifies=old.crm_qualifies,
        metrics=(*new.metrics, *metrics),
        rewards=tuple(
            msgspec.structs.replace(each, when=_condition(each.when, renamed), give=_give(each.give, renamed))
            for each in old.rewards
        ),
        groups=old.groups,
        terms=tuple(_terms(each, renamed) for each in old.terms),
        lock_terms=old.lock_terms,
        tests=(),
        **gates,
    )


def _meaning(metric: Metric) -> Metric:
    return msgspec.structs.replace(metric, line=0)


def _terms(terms: Terms, renamed: dict[str, str]) -> Terms:
    overrides = [
        msgspec.structs.replace(each, give=None if each.give is None else _give(each.give, renamed))
        for each in terms.overrides
    ]
    return msgspec.structs.replace(terms, overrides=tuple(overrides))


def _give(give: Give, renamed: dict[str, str]) -> Give:
    if isinstance(give, Rows):
        return msgspec.structs.replace(give, by=tuple(renamed.get(each, each) for each in give.by))
    if isinstance(give, Lookup | Brackets):
        return msgspec.structs.replace(give, by=renamed.get(give.by, give.by))
    return give


def _condition(condition: Condition | None, renamed: dict[str, str]) -> Condition | None:
    return None if condition is None else _renamed(condition, renamed)


def _renamed(condition: Condition, renamed: dict[str, str]) -> Condition:
    match condition:
        case AllOf():
            return AllOf(tuple(_renamed(each, renamed) for each in condition.conditions))
        case AnyOf():
            return AnyOf(tuple(_renamed(each, renamed) for each in condition.conditions))
        case Not():
            return Not(_renamed(condition.condition, renamed))
        case _:
            return msgspec.structs.replace(condition, path=renamed.get(condition.path, condition.path))
