"""Business facts happen once, and so does every event: what tells a repeat from news.

A lead is registered, qualified and disqualified once; a deal is opened, lost and won once; a renewal happens once per
period, a refund once per refund id. Beyond that, every event's source and id are remembered for 90 days of event time,
and those of a lead, a deal or the partner's own profile for good, with what they changed. Any other event older than
the memory (a survey, an activity) cannot be judged and is refused as "too late to tell", because paying twice and not
paying at all are both wrong (docs/rules.md#repeats).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Final

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.events import Event, PartnerProfile, time_ms_of
from services.rules.calendar import DAY_MS
from services.rules.judge import FALSE, TRUE
from services.rules.state import (
    DEAL_LOST,
    DEAL_OPENED,
    DEAL_WON,
    EVENT_HASH_BYTES,
    LEAD_DISQUALIFIED,
    LEAD_QUALIFIED,
    LEAD_REGISTERED,
    NEVER,
    DealState,
    LeadState,
    PartnerState,
)

MEMORY_DAYS: Final = 90
"""How long source and id of an event are remembered, in days of event time."""

_NEW_STATUS: Final = {
    "partner.registered": "registered",
    "partner.approved": "active",
    "partner.suspended": "suspended",
}


def remember(state: PartnerState, time_ms: int, hashed: bytes, *, is_history: bool) -> bool | None:
    """Whether an event of that time is news to the memory of days; if so, it is remembered by its hash.

    None for an event from before the memory. `is_history` is for events that do not move the memory on.
    """
    day = time_ms // DAY_MS
    horizon = state.horizon_day
    if horizon is not None and day < horizon - MEMORY_DAYS:
        return None
    bucket = state.seen.get(day)
    if bucket is None:
        state.seen[day] = {hashed: None}
        days = state.seen_days
        if days and day < days[-1]:
            insort(days, day)
        else:
            days.append(day)
    elif hashed in bucket:
        return False
    else:
        bucket[hashed] = None
    state.changed_days.add(day)
    if is_history or (horizon is not None and day <= horizon):
        return True
    state.horizon_day = day
    if state.seen_days[0] < day - MEMORY_DAYS:
        _forget_before(state, day - MEMORY_DAYS)
    return True


def _forget_before(state: PartnerState, oldest: int) -> None:
    """Drop the days that the memory no longer reaches."""
    days = state.seen_days
    while days[0] < oldest:
        gone = days.pop(0)
        state.seen.pop(gone, None)
        state.changed_days.discard(gone)
        state.dropped_days.add(gone)


def keep(state: PartnerState, event: Event, hashed: bytes, *, is_late: bool) -> bool:
    """Remember the event for good with its deal, its lead or the profile; other events have only the memory of days.

    Returns whether it is news; only one from before the memory (`is_late`) is asked.

    Raises:
        PermanentError: Too late to tell; nothing was changed.
    """
    data = event.data
    if data.deal is not None:
        deal = deal_of(state, data.deal.id)
        if is_late and holds(deal.ids, hashed):
            return False
        deal.ids += hashed
        state.changed_deals.add(data.deal.id)
    elif data.lead is not None:
        lead = lead_of(state, data.lead.id)
        if is_late and holds(lead.ids, hashed):
            return False
        lead.ids += hashed
        state.changed_leads.add(data.lead.id)
    elif event.type.startswith("partner."):
        if is_late and holds(state.profile_ids, hashed):
            return False
        state.profile_ids += hashed
    elif is_late:
        raise PermanentError(
            Problem(
                code="too-late-to-tell",
                message=f"too late to tell: the event is more than {MEMORY_DAYS} days older than the partner's newest "
                "one, so whether it was counted before is no longer known",
                where="time",
                help="check whether it was counted, and send it again as a correction with a time of its own",
            )
        )
    return True


def holds(known: bytes, hashed: bytes) -> bool:
    """Whether the hash is one of those that stand here one after the other."""
    return any(known[start : start + EVENT_HASH_BYTES] == hashed for start in range(0, len(known), EVENT_HASH_BYTES))


def take_partner_facts(state: PartnerState, event: Event) -> None:
    """A partner's snapshot replaces the one before, field by field; the event's type says what it leaves out."""
    carried = event.data.profile or PartnerProfile()
    old = state.profile
    changes = {
        name: value for name in PartnerProfile.__struct_fields__ if (value := getattr(carried, name)) is not None
    }
    status = _NEW_STATUS.get(event.type)
    if status is not None:
        changes.setdefault("status", status)
    if event.type == "partner.agreement_signed":
        changes.setdefault("agreement_signed", True)
    state.profile = msgspec.structs.replace(old, **changes)
    state.facts = {}
    state.gate = None
    state.settled_by = NEVER


def partner_facts(state: PartnerState) -> dict[str, object]:
    """The partner's facts as conditions see them: yes and no as texts, instants in milliseconds, lists as tuples."""
    profile = state.profile
    facts: dict[str, object] = {name: getattr(profile, name) for name in PartnerProfile.__struct_fields__}
    facts["id"] = state.partner
    if profile.groups is not None:
        facts["groups"] = tuple(profile.groups)
    if profile.joined_at is not None:
        facts["joined_at"] = time_ms_of(profile.joined_at)
    if profile.agreement_signed is not None:
        facts["agreement_signed"] = TRUE if profile.agreement_signed else FALSE
    state.facts = facts
    return facts


def deal_of(state: PartnerState, deal_id: str) -> DealState:
    deal = state.deals.get(deal_id)
    if deal is None:
        deal = state.deals[deal_id] = DealState()
    return deal


def lead_of(state: PartnerState, lead_id: str) -> LeadState:
    lead = state.leads.get(lead_id)
    if lead is None:
        lead = state.leads[lead_id] = LeadState()
    return lead


def _deal_fact(flag: int, words: str) -> Callable[[PartnerState, Event], str]:
    def happen(state: PartnerState, event: Event) -> str:
        assert event.data.deal is not None
        deal_id = event.data.deal.id
        deal = state.deals.get(deal_id)
        if deal is None:
            deal = state.deals[deal_id] = DealState()
        elif deal.flags & flag:
            return words
        deal.flags |= flag
        state.changed_deals.add(deal_id)
        return ""

    return happen


def _lead_fact(flag: int, words: str) -> Callable[[PartnerState, Event], str]:
    def happen(state: PartnerState, event: Event) -> str:
        assert event.data.lead is not None
        lead_id = event.data.lead.id
        lead = lead_of(state, lead_id)
        if lead.flags & flag:
            return words
        # A lead is marked as qualified where that is decided, not where it is only said.
        if flag != LEAD_QUALIFIED:
            lead.flags |= flag
            state.changed_leads.add(lead_id)
        return ""

    return happen


def _renewal(state: PartnerState, event: Event) -> str:
    assert event.data.deal is not None
    deal_id = event.data.deal.id
    period = event.data.period or ""
    deal = deal_of(state, deal_id)
    periods = deal.periods or []
    if period in periods:
        return "already renewed for this period"
    deal.periods = [*periods, period]
    state.changed_deals.add(deal_id)
    return ""


def _refund(state: PartnerState, event: Event) -> str:
    assert event.data.deal is not None
    deal_id = event.data.deal.id
    refund_id = event.data.refund_id or ""
    deal = deal_of(state, deal_id)
    if not deal.flags & DEAL_WON:
        # The refund id stays unused: sent again after the deal was won, the refund counts.
        return "no such deal"
    refunds = deal.refunds or []
    if refund_id in refunds:
        return "already refunded"
    deal.refunds = [*refunds, refund_id]
    state.changed_deals.add(deal_id)
    return ""


ONCE: Final[dict[str, Callable[[PartnerState, Event], str]]] = {
    "lead.registered": _lead_fact(LEAD_REGISTERED, "already registered"),
    "lead.qualified": _lead_fact(LEAD_QUALIFIED, "already qualified"),
    "lead.disqualified": _lead_fact(LEAD_DISQUALIFIED, "already disqualified"),
    "deal.opened": _deal_fact(DEAL_OPENED, "already opened"),
    "deal.lost": _deal_fact(DEAL_LOST, "already lost"),
    "deal.won": _deal_fact(DEAL_WON, "already won"),
    "deal.renewed": _renewal,
    "deal.refunded": _refund,
}
"""Event type to what makes its fact happen: empty when it is news, else why it changes nothing."""
