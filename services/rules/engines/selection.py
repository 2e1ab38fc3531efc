"""Which questions an event asks, and which rewards it selects by the answers (docs/rules.md#order, steps 3 to 5, 8).

Pure, written from the page and not from `services.rules.generate`: it is half of the second opinion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contracts.events import Event
from contracts.ruleset import Reward, RuleSet
from services.rules.engines.port import (
    ELIGIBLE_CUSTOMER,
    ELIGIBLE_PARTNER,
    QUALIFIED_DEAL,
    QUALIFIED_LEAD,
    Verdict,
    tier_of,
    when_of,
)

_LEAD_EVENTS = ("lead.registered", "lead.qualified")
_DEAL_EVENTS = ("deal.won", "deal.renewed")


def asked_of(rules: RuleSet, event_type: str) -> tuple[str, ...]:
    """The names of all questions that an event of the type may ask before its rewards are decided."""
    names = []
    if event_type != "deal.refunded":
        names += [ELIGIBLE_PARTNER] if rules.eligible_partner is not None else []
        names += [ELIGIBLE_CUSTOMER] if rules.eligible_customer is not None else []
    if event_type in _LEAD_EVENTS and rules.qualified_lead is not None:
        names.append(QUALIFIED_LEAD)
    if event_type in _DEAL_EVENTS and rules.qualified_deal is not None:
        names.append(QUALIFIED_DEAL)
    happenings = {event_type, "lead.qualified"} if event_type in _LEAD_EVENTS else {event_type}
    names += [when_of(reward.id) for reward in _listening(rules, happenings) if reward.when is not None]
    return tuple(names)


def is_blocked(rules: RuleSet, event: Event, verdicts: Mapping[str, Verdict]) -> bool:
    """Whether `eligible` or `qualified.deal` lets the event earn nothing."""
    names = asked_of(rules, event.type)
    gates = [name for name in (ELIGIBLE_PARTNER, QUALIFIED_DEAL) if name in names]
    if ELIGIBLE_CUSTOMER in names and (event.type.startswith(("lead.", "deal.")) or event.data.customer is not None):
        gates.append(ELIGIBLE_CUSTOMER)
    return not all(verdicts[name] for name in gates)


def lead_qualifies(rules: RuleSet, event: Event, verdicts: Mapping[str, Verdict], *, blocked: bool) -> bool:
    """Whether a lead that did not qualify before does so at this event."""
    if blocked or event.type not in _LEAD_EVENTS:
        return False
    if event.type == "lead.qualified" and rules.crm_qualifies:
        return True
    return verdicts.get(QUALIFIED_LEAD) is True


def selected(
    rules: RuleSet, event: Event, verdicts: Mapping[str, Verdict], *, blocked: bool, qualifies: bool
) -> dict[str, bool]:
    """The rewards that the event makes us consider; true for those whose conditions let them be granted."""
    happenings = {event.type, "lead.qualified"} if qualifies else {event.type}
    if event.type == "lead.qualified":
        blocked = blocked or not qualifies
    return {
        reward.id: not blocked and (reward.when is None or verdicts[when_of(reward.id)] is True)
        for reward in _listening(rules, happenings)
    }


def reached(rules: RuleSet, tier: str | None, verdicts: Mapping[str, Verdict]) -> str | None:
    """The tier after the event: the last one in the list that is reached, if it is higher than today's."""
    ids = [each.id for each in rules.tiers]
    place = ids.index(tier) if tier in ids else 0
    for higher in reversed(rules.tiers[place + 1 :]):
        if higher.when is not None and verdicts[tier_of(higher.id)] is True:
            return higher.id
    return tier


def _listening(rules: RuleSet, happenings: set[str]) -> Iterator[Reward]:
    return (reward for reward in rules.rewards if happenings.intersection(reward.on))
