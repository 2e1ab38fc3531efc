"""The legs of postings: one transfer per decision, stage and part, under an id that is derived from them. Pure."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from contracts.facts import TransferPosted
from services.rewards.decode import DecisionHead

STAGE_GRANTED: Final = "granted"
STAGE_RELEASED: Final = "released"
STAGE_VOIDED: Final = "voided"
STAGE_CLAWED_BACK: Final = "clawed_back"
STAGE_ADJUSTED: Final = "adjusted"
STAGE_ALLOTTED: Final = "allotted"
STAGE_CLAIMED: Final = "claimed"
STAGE_EXPIRED: Final = "expired"
STAGE_WRITTEN_OFF: Final = "written_off"
STAGE_RESERVED: Final = "reserved"
STAGE_REDEEMED: Final = "redeemed"
STAGE_CREDITED: Final = "credited"
STAGE_CANCELLED: Final = "cancelled"
STAGE_PAYOUT_PREPARED: Final = "payout_prepared"
STAGE_PAYOUT_APPROVED: Final = "payout_approved"
STAGE_PAYOUT_SENT: Final = "payout_sent"
STAGE_PAID: Final = "paid"
STAGE_PAYOUT_FEE: Final = "payout_fee"
STAGE_PAYOUT_RETURNED: Final = "payout_returned"
STAGE_PAYOUT_CANCELLED: Final = "payout_cancelled"
STAGE_CONVERTED: Final = "converted"
STAGE_ROUNDED: Final = "rounded"
STAGE_FEE_CHARGED: Final = "fee_charged"
STAGE_FEE_REFUNDED: Final = "fee_refunded"
STAGES: Final = (
    STAGE_ALLOTTED,
    STAGE_GRANTED,
    STAGE_CLAIMED,
    STAGE_RELEASED,
    STAGE_VOIDED,
    STAGE_CLAWED_BACK,
    STAGE_EXPIRED,
    STAGE_ADJUSTED,
    STAGE_RESERVED,
    STAGE_REDEEMED,
    STAGE_CREDITED,
    STAGE_CANCELLED,
    STAGE_FEE_CHARGED,
    STAGE_FEE_REFUNDED,
    STAGE_WRITTEN_OFF,
    STAGE_PAYOUT_PREPARED,
    STAGE_PAYOUT_APPROVED,
    STAGE_PAYOUT_SENT,
    STAGE_PAID,
    STAGE_PAYOUT_FEE,
    STAGE_PAYOUT_RETURNED,
    STAGE_PAYOUT_CANCELLED,
    STAGE_CONVERTED,
    STAGE_ROUNDED,
)
"""All there are, in the order of a life."""


class ByHand(NamedTuple):
    """What a person books says why, and who did it."""

    reason: str
    booked_by: str


_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def granted_transfer_id(decision: str) -> str:
    """`leg_id` of a plain grant."""
    return leg_id(decision, STAGE_GRANTED, 0)


def leg_id(decision: str, stage: str, part: int) -> str:
    """`contracts.ids.transfer_id(decision, stage, part)`, at half its cost; a test holds the two together.

    Args:
        decision: A decision's id as `is_decision_id` wants it, so the JSON needs no escapes and the time no parsing.
        stage: One of the stages here, which need no escapes either.
        part: Counts the legs of that stage from 0.
    """
    digest = hashlib.sha256(f'["{decision}","{stage}",{part}]'.encode()).hexdigest()
    return f"{decision[:13]}-8{digest[:3]}-{_VARIANTS[digest[3]]}{digest[4:7]}-{digest[7:19]}"


def leg(
    decision: DecisionHead,
    stage: str,
    debit: str,
    credit: str,
    amount_minor: int,
    *,
    posted_at_ms: int,
    traceparent: str = "",
    group: str | None = None,
    part: int = 0,
    by_hand: ByHand | None = None,
    news_at_ms: int | None = None,
) -> TransferPosted:
    """Any leg.

    `debit` and `credit` are account addresses; `group` is the id of the posting's first leg, None for that leg itself;
    `part` counts the legs of this stage from 0.
    """
    id = leg_id(decision.id, stage, part)
    # By position, in the order of the fields: naming them costs more than all the rest; a test holds them together.
    return TransferPosted(
        id,
        group or id,
        stage,
        decision.id,
        decision.programme,
        decision.rule,
        decision.partner,
        debit,
        credit,
        amount_minor,
        decision.unit or "",
        decision.event_source,
        decision.event_id,
        decision.time_ms,
        posted_at_ms,
        decision.revision,
        traceparent,
        decision.customer,
        decision.customer_name,
        decision.deal,
        decision.lead,
        decision.decimals,
        decision.available_at_ms,
        decision.expires_at_ms,
        decision.takes_back,
        by_hand.reason if by_hand else None,
        by_hand.booked_by if by_hand else None,
        news_at_ms,
    )
