"""Which mail follows from a decision or a ledger fact. Pure.

One fact makes at most one mail of a kind, and the pair (fact, kind) is its identity: N deliveries of a fact are
one mail. Facts of events that happened too long ago are recorded, not told.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

import msgspec

from contracts.decisions import RULE_LEAD_QUALIFIED, RULE_TIER
from contracts.facts import RewardNotice, TransferPosted
from runtime.tracing import trace_id
from services.notify.addresses import one_line

Kind = Literal[
    "lead-qualified",
    "reward-granted",
    "reward-released",
    "reward-taken-back",
    "reward-waiting",
    "reward-denied",
    "reward-expiring",
    "reward-expired",
    "tier-reached",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

KIND_OF_STAGE: Final[dict[str, Kind]] = {
    "granted": "reward-granted",
    "released": "reward-released",
    "voided": "reward-taken-back",
    "clawed_back": "reward-taken-back",
    "adjusted": "reward-taken-back",
    "expired": "reward-expired",
}
_FROM_THE_PARTNER: Final = ("reward-taken-back", "reward-expired")
KIND_OF_NOTICE: Final[dict[str, Kind]] = {
    "held": "reward-waiting",
    "denied": "reward-denied",
    "expiring": "reward-expiring",
}
TIER_BY_HAND: Final = "partner.tier_assigned"
DAY_MS: Final = 86_400_000


class DecisionView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The fields of `contracts.decisions.Decision` that mails need: a third of the time to decode it whole."""

    id: str
    granted: bool
    programme: str
    rule: str
    partner: str
    event_type: str
    time_ms: int
    tier_to: str | None = None
    occasion: str = ""
    customer: str | None = None
    customer_name: str | None = None
    lead: str | None = None


class Details(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What the text of a mail is about, cleaned of everything but one line of text.

    `customer` is the customer's name if it has one, else its id; `lead` and `deal` are ids of their sender.
    """

    customer: str | None = None
    lead: str | None = None
    deal: str | None = None
    rule: str | None = None
    amount_minor: int | None = None
    unit: str | None = None
    decimals: int | None = None
    tier: str | None = None
    available_on: str | None = None
    """The day, in UTC, from which on what is on hold can be paid."""
    expires_on: str | None = None
    """The day, in UTC, on which it expires."""
    reason: str | None = None


class Mail(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A mail that is due.

    Attributes:
        fact: The id of the decision or transfer.
        time_ms: When the event behind it happened.
        trace: The trace id of the journey that began at the front door; may be empty.
    """

    fact: str
    kind: Kind
    programme: str
    partner: str
    time_ms: int
    trace: str
    details: Details


def mail_of_decision(decision: DecisionView, traceparent: str) -> Mail | None:
    """The mail that a decision makes: a lead that qualified, or a tier reached.

    A tier set by hand, or at a review, makes none: it may go down, and the decision does not say which way it went.
    """
    if not decision.granted:
        return None
    if decision.rule == RULE_LEAD_QUALIFIED:
        kind: Kind = "lead-qualified"
        details = Details(customer=_text(decision.customer_name or decision.customer), lead=_text(decision.lead))
    elif (
        decision.rule == RULE_TIER
        and decision.tier_to is not None
        and decision.event_type != TIER_BY_HAND
        and not decision.occasion
    ):
        kind = "tier-reached"
        details = Details(tier=one_line(decision.tier_to))
    else:
        return None
    return Mail(
        fact=decision.id,
        kind=kind,
        programme=decision.programme,
        partner=decision.partner,
        time_ms=decision.time_ms,
        trace=trace_id(traceparent),
        details=details,
    )


def mail_of_transfer(fact: TransferPosted) -> Mail | None:
    """The mail that a posting makes: what the partner was granted, can have now, or lost again.

    What goes to a customer or member makes none; nor does a release in the posting that granted it, which says it all.
    """
    kind = KIND_OF_STAGE.get(fact.stage)
    own = f"partner:{fact.partner}:"
    if kind is None or not (fact.debit if kind in _FROM_THE_PARTNER else fact.credit).startswith(own):
        return None
    if kind == "reward-released" and fact.group != fact.id:
        return None
    is_on_hold = fact.credit == f"{own}pending" and (fact.available_at_ms or 0) > fact.posted_at_ms
    return Mail(
        fact=fact.id,
        kind=kind,
        programme=fact.programme,
        partner=fact.partner,
        time_ms=fact.time_ms if fact.news_at_ms is None else fact.news_at_ms,
        trace=trace_id(fact.traceparent),
        details=Details(
            customer=_text(fact.customer_name or fact.customer),
            lead=_text(fact.lead),
            deal=_text(fact.deal),
            rule=one_line(fact.rule),
            amount_minor=fact.amount_minor,
            unit=fact.unit,
            decimals=fact.decimals,
            available_on=_day(fact.available_at_ms) if is_on_hold else None,
            expires_on=_day(fact.expires_at_ms) if kind == "reward-granted" else None,
            reason=_text(fact.reason),
        ),
    )


def mail_of_notice(fact: RewardNotice) -> Mail | None:
    """The mail that follows when no money moved: the partner's reward waits for its budget, or will not be paid."""
    kind = KIND_OF_NOTICE.get(fact.notice)
    if kind is None or fact.beneficiary != f"partner:{fact.partner}":
        return None
    return Mail(
        fact=fact.id,
        kind=kind,
        programme=fact.programme,
        partner=fact.partner,
        time_ms=fact.time_ms,
        trace=trace_id(fact.traceparent),
        details=Details(
            customer=_text(fact.customer_name or fact.customer),
            lead=_text(fact.lead),
            deal=_text(fact.deal),
            rule=one_line(fact.rule),
            amount_minor=fact.amount_minor,
            unit=fact.unit,
            decimals=fact.decimals,
            expires_on=_day(fact.expires_at_ms),
            reason=_text(fact.reason),
        ),
    )


def is_too_old(time_ms: int, *, now_ms: int, age_max_days: int) -> bool:
    """Whether what happened then is no news any more. Exactly `age_max_days` old is still told."""
    return now_ms - time_ms > age_max_days * DAY_MS


def _day(time_ms: int | None) -> str | None:
    # Not from a timestamp: years 1 to 9999 do not all have one.
    return None if time_ms is None else f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms):%Y-%m-%d}"


def _text(value: str | None) -> str | None:
    return one_line(value) if value else None
