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
from contracts.events import Event, EventData, PartnerProfile, time_ms_of
from services.rules.clock.calendar import DAY_MS
from services.rules.deciding.judge import FALSE, TRUE
from services.rules.states.children import (
    DEAL_LOST,
    DEAL_OPENED,
    DEAL_WON,
    LEAD_DISQUALIFIED,
    LEAD_QUALIFIED,
    LEAD_REGISTERED,
    Child,
    DealState,
    LeadState,
    SeenDay,
    deal_key,
    holds,
    lead_key,
    seen_key,
)
from services.rules.states.state import NEVER, PartnerState

MEMORY_DAYS: Final = 90
"""How long source and id of an event are remembered, in days of event time."""


_NEW_STATUS: Final = {
    "partner.registered": "registered",
    "partner.approved": "active",
    "partner.suspended": "suspended",
}


def remember(state: PartnerState, time_ms: int, hashed: bytes, is_history: bool) -> bool | None:
    """Whether an event of that time is news to the memory of days; if so, it is remembered by its hash.

    None for an event from before the memory. `is_history` is for events that do not move the memory on. Generated code
    asks only where the event is not of `state.today`.
    """
    day = time_ms // DAY_MS
    horizon = state.horizon_day
    if horizon is not None and day < horizon - MEMORY_DAYS:
        return None
    today = state.today
    seen = state.seen.get(day)
    if seen is None:
        seen = _begin_day(state, day, hashed)
    elif hashed in seen.hashes:
        return False
    else:
        seen.hashes[hashed] = None
        mark(state, seen)
    if not is_history and (horizon is None or day > horizon):
        state.horizon_day = day
        # The day was not today's until now, and what it holds is not counted as long as it is.
        state.seen_count += len(today.hashes) + 1 - len(seen.hashes)
        state.today = seen
        if state.seen_days[0] < day - MEMORY_DAYS:
            _forget_before(state, day - MEMORY_DAYS)
    elif seen is not today:
        state.seen_count += 1
    return True


def _begin_day(state: PartnerState, day: int, hashed: bytes) -> SeenDay:
    """A day with its first event, to be written."""
    seen = state.seen[day] = SeenDay(seen_key(state.owner, day), day, {hashed: None}, True)
    state.changed.append(seen)
    days = state.seen_days
    if days and day < days[-1]:
        insort(days, day)
    else:
        days.append(day)
    return seen


def add_day(state: PartnerState, seen: SeenDay) -> None:
    """Take in a day as it was stored."""
    state.seen[seen.day] = seen
    if seen.day == state.horizon_day:
        state.today = seen
    else:
        state.seen_count += len(seen.hashes)


def _forget_before(state: PartnerState, oldest: int) -> None:
    """Drop the days that the memory no longer reaches."""
    days = state.seen_days
    while days[0] < oldest:
        gone = days.pop(0)
        # A day that is not in memory is stored all the same.
        seen = state.seen.pop(gone, None) or SeenDay(seen_key(state.owner, gone))
        state.seen_count -= len(seen.hashes)
        seen.is_forgotten = True
        mark(state, seen)


def mark(state: PartnerState, child: Child) -> None:
    """Let the child be written."""
    if not child.is_changed:
        child.is_changed = True
        state.changed.append(child)


def keep(state: PartnerState, event: Event, hashed: bytes, is_late: bool) -> bool:
    """Remember the event for good with its deal, its lead or the profile; other events have only the memory of days.

    Returns whether it is news; only one from before the memory (`is_late`) is asked.

    Raises:
        PermanentError: Too late to tell; nothing was changed.
    """
    data = event.data
    if data.deal is not None or data.lead is not None:
        child: DealState | LeadState
        if data.deal is not None:
            child = deal_of(state, data.deal.id)
        else:
            assert data.lead is not None, "one of the two is there"
            child = lead_of(state, data.lead.id)
        if is_late and holds(child.ids, hashed):
            return False
        child.ids += hashed
        mark(state, child)
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
    state.profile_packed = None
    state.facts = {}
    state.gate = None
    state.terms = None
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
        deal = state.deals[deal_id] = DealState(deal_key(state.owner, deal_id))
    return deal


def lead_of(state: PartnerState, lead_id: str) -> LeadState:
    lead = state.leads.get(lead_id)
    if lead is None:
        lead = state.leads[lead_id] = LeadState(lead_key(state.owner, lead_id))
    return lead


def renew(deal: DealState, data: EventData) -> str:
    """A renewal of the deal: empty when it is news, else why it changes nothing."""
    period = data.period or ""
    if deal.periods is not None and period in deal.periods:
        return "already renewed for this period"
    deal.periods = [*(deal.periods or ()), period]
    return ""


def refund(deal: DealState, data: EventData) -> str:
    """A refund of the deal: empty when it is news, else why it changes nothing."""
    refund_id = data.refund_id or ""
    if not deal.flags & DEAL_WON:
        # The refund id stays unused: sent again after the deal was won, the refund counts.
        return "no such deal"
    if deal.refunds is not None and refund_id in deal.refunds:
        return "already refunded"
    deal.refunds = [*(deal.refunds or ()), refund_id]
    return ""


ONCE: Final[dict[str, tuple[int, str]]] = {
    "lead.registered": (LEAD_REGISTERED, "already registered"),
    "lead.qualified": (LEAD_QUALIFIED, "already qualified"),
    "lead.disqualified": (LEAD_DISQUALIFIED, "already disqualified"),
    "deal.opened": (DEAL_OPENED, "already opened"),
    "deal.lost": (DEAL_LOST, "already lost"),
    "deal.won": (DEAL_WON, "already won"),
}
"""Event type to the flag of its fact on the lead or deal, and why a second one changes nothing."""
ONCE_EACH: Final[dict[str, Callable[[DealState, EventData], str]]] = {"deal.renewed": renew, "deal.refunded": refund}
"""The same for facts that happen once per period or refund id."""
