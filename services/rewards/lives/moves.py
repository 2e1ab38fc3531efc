"""What moves a reward through its life: granted, released, voided, taken back. Pure.

Each changes what is known of the decision and says which transfers follow; none goes further than what is there.
"""

from __future__ import annotations

from typing import Final

from contracts.facts import TransferPosted
from services.rewards.budgets.claims import Budgets, claim_all
from services.rewards.decode import DecisionHead, decode_head
from services.rewards.legs import STAGE_CLAWED_BACK, STAGE_VOIDED, ByHand, leg
from services.rewards.lives.grants import granted_leg, released_leg
from services.rewards.lives.life import Life, Settlement

WAITS_FOR_GRANT: Final = "the decision that it takes from has not been posted yet"


def grant(
    life: Life,
    head: DecisionHead,
    budgets: Budgets,
    done: Settlement,
    *,
    at_ms: int,
    news_at_ms: int | None = None,
    by_hand: ByHand | None = None,
) -> None:
    """From cost to what is on hold; on to what is available in the same posting, where the hold is over already.

    Its budgets are claimed, unless a person grants it although they are spent.
    """
    life.state, life.reason = "posted", ""
    amount_minor = life.granted_minor = head.amount_minor or 0
    life.lot_minor = 0 if head.expires_at_ms is None else amount_minor
    granted = granted_leg(head, life.traceparent, at_ms=at_ms, news_at_ms=news_at_ms, by_hand=by_hand)
    done.transfers.append(granted)
    if head.budgets and not by_hand:
        done.transfers += claim_all(head, budgets, granted)
    if head.available_at_ms is None:
        return
    life.pending_minor = amount_minor
    if head.available_at_ms <= at_ms:
        done.transfers.append(release(life, amount_minor, at_ms=at_ms, head=head, group=granted.id))


def release(
    life: Life,
    amount_minor: int,
    *,
    at_ms: int,
    by_hand: ByHand | None = None,
    head: DecisionHead | None = None,
    group: str | None = None,
) -> TransferPosted:
    """Let go of a part of a hold, or of all of it; in the posting of the grant itself, where that is given."""
    head = head or decode_head(life.head or "")
    life.pending_minor -= amount_minor
    life.legs += 1
    return released_leg(
        head, life.traceparent, amount_minor, at_ms=at_ms, part=life.legs - 1, group=group, by_hand=by_hand
    )


def void(life: Life, amount_minor: int, *, at_ms: int, by_hand: ByHand) -> TransferPosted:
    """Take back a part of a hold by hand, or all of it."""
    head = decode_head(life.head or "")
    life.pending_minor -= amount_minor
    life.take(amount_minor)
    life.legs += 1
    return leg(
        head,
        STAGE_VOIDED,
        f"{life.beneficiary}:pending",
        f"programme:{head.programme}:cost",
        amount_minor,
        posted_at_ms=at_ms,
        traceparent=life.traceparent,
        part=life.legs - 1,
        by_hand=by_hand,
        news_at_ms=at_ms,
    )


def take_back(life: Life, head: DecisionHead, taken: Life | None, done: Settlement, at_ms: int) -> None:
    """From what is on hold first, the rest from what is available, also below zero; never more than was granted."""
    if taken is None or taken.state == "waiting":
        life.state, life.waits_for, life.reason = "waiting", head.takes_back, WAITS_FOR_GRANT
        return
    life.state, life.waits_for, life.reason = "posted", None, ""
    if (taken.beneficiary, taken.unit) != (head.beneficiary, head.unit):
        life.state, life.reason = "refused", f"the decision it takes from gave {taken.unit} to {taken.beneficiary}"
        return
    asked_minor = -(head.amount_minor or 0)
    amount_minor = min(asked_minor, taken.takeable_minor)
    if amount_minor < asked_minor:
        life.reason = f"of {asked_minor} only {amount_minor} was left to take back"
    if amount_minor == 0:
        return
    voided_minor = min(amount_minor, taken.pending_minor)
    taken.pending_minor -= voided_minor
    taken.take(amount_minor)
    if taken.decision not in done.born:
        done.changed[taken.decision] = taken
    group: str | None = None
    for stage, place, part_minor in (
        (STAGE_VOIDED, "pending", voided_minor),
        (STAGE_CLAWED_BACK, "available", amount_minor - voided_minor),
    ):
        if part_minor:
            transfer = leg(
                head,
                stage,
                f"{head.beneficiary}:{place}",
                f"programme:{head.programme}:cost",
                part_minor,
                posted_at_ms=at_ms,
                traceparent=life.traceparent,
                group=group,
            )
            group = group or transfer.id
            done.transfers.append(transfer)
