"""Which mail follows from a decision or a ledger fact. Pure.

One fact makes at most one mail of a kind, and the pair (fact, kind) is its identity: N deliveries of a fact are
one mail. Facts of events that happened too long ago are recorded, not told.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

import msgspec

from contracts.decisions import RULE_LEAD_QUALIFIED, RULE_TIER
from contracts.facts import LEDGER_SOURCE, RewardNotice, TransferPosted
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
    "debt-written-off",
    "gift-granted",
    "payout-sent",
    "payout-settled",
    "payout-returned",
    "redemption-reserved",
    "redemption-fulfilled",
    "redemption-cancelled",
    "membership-charged",
    "membership-refunded",
    "tier-reached",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_REFERRAL: Final = ("rule", "deal", "lead")
ROWS_OF: Final[dict[Kind, tuple[str, ...]]] = {
    "lead-qualified": (),
    "reward-granted": _REFERRAL,
    "reward-released": _REFERRAL,
    "reward-taken-back": (*_REFERRAL, "reason"),
    "reward-waiting": _REFERRAL,
    "reward-denied": _REFERRAL,
    "reward-expiring": (),
    "reward-expired": ("rule",),
    "debt-written-off": ("reason",),
    "gift-granted": ("reason",),
    "payout-sent": ("payout",),
    "payout-settled": ("payout",),
    "payout-returned": ("payout", "reason"),
    "redemption-reserved": (),
    "redemption-fulfilled": (),
    "redemption-cancelled": ("reason",),
    "membership-charged": (),
    "membership-refunded": ("reason",),
    "tier-reached": (),
}
"""Which fields of `Details` a mail has in its table of facts, where they are known."""

_FROM, _TO = "debit", "credit"
KIND_OF_STAGE: Final[dict[str, tuple[Kind, str]]] = {
    "granted": ("reward-granted", _TO),
    "released": ("reward-released", _TO),
    "voided": ("reward-taken-back", _FROM),
    "clawed_back": ("reward-taken-back", _FROM),
    "adjusted": ("reward-taken-back", _FROM),
    "expired": ("reward-expired", _FROM),
    "written_off": ("debt-written-off", _TO),
    "payout_sent": ("payout-sent", _TO),
    "paid": ("payout-settled", _TO),
    "payout_returned": ("payout-returned", _TO),
    "reserved": ("redemption-reserved", _FROM),
    "redeemed": ("redemption-fulfilled", _FROM),
    "cancelled": ("redemption-cancelled", _TO),
    "fee_charged": ("membership-charged", _FROM),
    "fee_refunded": ("membership-refunded", _TO),
}
"""The mail that a stage makes, if that side of the transfer is the partner's."""
RULE_GIFT: Final = "gift"
"""Stands as the rule of what somebody gave (services/rewards/own.py)."""
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
    item: str | None = None
    """What was redeemed: `2 × mug`."""
    payout: str | None = None
    """Its reference."""
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
    """The mail that a posting makes: what the partner was granted, can have now, was paid, used or lost again.

    What goes to a customer or member makes none; nor does a release in the posting that granted it, which says it all.
    """
    own = f"partner:{fact.partner}:"
    kind, side = KIND_OF_STAGE.get(fact.stage, (None, _TO))
    if kind is None or not (fact.debit if side == _FROM else fact.credit).startswith(own):
        return None
    if kind == "reward-released" and fact.group != fact.id:
        return None
    is_own = fact.event_source == LEDGER_SOURCE
    if kind == "reward-granted" and is_own and fact.rule == RULE_GIFT:
        kind = "gift-granted"
    is_on_hold = fact.credit == f"{own}pending" and (fact.available_at_ms or 0) > fact.posted_at_ms
    # What the ledger does of its own accord happens when it is posted, whenever its first step was.
    happened_at_ms = fact.posted_at_ms if is_own else fact.time_ms
    # The ledger says what is redeemed, and which tier is paid for (`gold per year`), where others say why.
    is_item = kind in ("redemption-reserved", "redemption-fulfilled", "membership-charged")
    item = fact.reason.partition(" per ")[0] if is_item and fact.reason else None
    return Mail(
        fact=fact.id,
        kind=kind,
        programme=fact.programme,
        partner=fact.partner,
        time_ms=happened_at_ms if fact.news_at_ms is None else fact.news_at_ms,
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
            expires_on=_day(fact.expires_at_ms) if kind in ("reward-granted", "gift-granted") else None,
            item=_text(item),
            payout=_text(fact.event_id.partition("/")[2]) if kind.startswith("payout-") else None,
            reason=None if is_item else _text(fact.reason),
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
