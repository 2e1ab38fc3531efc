"""A membership as everybody is shown it. Pure."""

from __future__ import annotations

from typing_extensions import TypedDict

from contracts.events import format_time
from services.rewards.memberships.terms import Membership, Per, State


class MembershipLine(TypedDict):
    """Amounts are in minor units; `term` counts from 0, `since` and `until` are the present one's bounds."""

    id: str
    programme: str
    key: str
    beneficiary: str
    tier: str
    back_to: str
    per: Per
    price_minor: int
    unit: str
    paid_outside: str | None
    renews: bool
    bought_at: str
    bought_by: str
    term: int
    since: str
    until: str | None
    state: State
    closed_at: str | None
    closed_by: str | None
    reason: str | None
    refunded_minor: int


def membership_line(one: Membership) -> MembershipLine:
    return MembershipLine(
        id=one.id,
        programme=one.programme,
        key=one.key,
        beneficiary=one.beneficiary,
        tier=one.tier,
        back_to=one.back_to,
        per=one.per,
        price_minor=one.price_minor,
        unit=one.unit,
        paid_outside=one.paid_outside,
        renews=one.renews,
        bought_at=format_time(one.bought_at_ms),
        bought_by=one.bought_by,
        term=one.term,
        since=format_time(one.from_ms),
        until=None if one.until_ms is None else format_time(one.until_ms),
        state=one.state,
        closed_at=None if one.closed_at_ms is None else format_time(one.closed_at_ms),
        closed_by=one.closed_by,
        reason=one.reason,
        refunded_minor=one.refunded_minor,
    )
