"""The life of a reward whose posting depends on what the ledger holds: budgets, its hold, what is taken back. Pure.

Given what is known of the decisions it mentions, `settle` says which transfers follow and what is known afterwards. A
decision is settled once: what is known of it answers every redelivery. What is known changes only together with the
transfers that say so, in one transaction (`settling.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from contracts.facts import NoticeKind, RewardNotice, TransferPosted
from contracts.ids import transfer_id
from services.rewards.budgets.claims import Budget, BudgetKey, Budgets, allot_by_rules, blocked, budgets_of, claim_all
from services.rewards.decode import DecisionHead, decode_head, encode_head
from services.rewards.legs import STAGE_CLAWED_BACK, STAGE_VOIDED, ByHand, leg
from services.rewards.lives.grants import granted_leg, released_leg
from services.rewards.lives.redelivery import differing
from services.rewards.postings import Careful

State = Literal["posted", "waiting", "denied", "refused"]
WAITS_FOR_GRANT: Final = "the decision that it takes from has not been posted yet"


class Life(msgspec.Struct, gc=False, kw_only=True):
    """What is known of a decision; a row of `rewards.lives`.

    Attributes:
        state: `posted`: what follows from it is in the ledger; `waiting`: nothing is yet; `denied` (a budget is spent)
            and `refused` (it cannot be posted): nothing will ever be.
        beneficiary, unit: Whose, and of what.
        granted_minor: What was granted; 0 of a clawback.
        pending_minor: What of that is still on hold.
        taken_minor: What of that was taken back or voided.
        lot_minor, expired_minor: What of that its date has still to close, and what it took away; see `lots.py`.
        is_announced: Whether its coming expiry was told.
        legs: Releases, voids and expiries so far, so that each has an id of its own.
        available_at_ms, expires_at_ms: End of the hold, and of the lot. Nobody changes them.
        takes_back, waits_for: Decisions.
        waits_for_budget, waiting_no: A budget, and the place in its queue.
        reason: Why it waits, was refused, or took less than it should.
        head: The decision as it first came, as JSON; None of one that was posted without a life and touched later.
    """

    decision: str
    state: State
    beneficiary: str
    unit: str
    granted_minor: int = 0
    pending_minor: int = 0
    taken_minor: int = 0
    lot_minor: int = 0
    expired_minor: int = 0
    is_announced: bool = False
    legs: int = 0
    available_at_ms: int | None = None
    expires_at_ms: int | None = None
    takes_back: str | None = None
    waits_for: str | None = None
    waits_for_budget: int | None = None
    waiting_no: int | None = None
    reason: str = ""
    head: str | None = None
    traceparent: str = ""

    @property
    def takeable_minor(self) -> int:
        """What a clawback can still take."""
        return self.granted_minor - self.taken_minor - self.expired_minor if self.state == "posted" else 0

    def take(self, amount_minor: int) -> None:
        """Something of it goes back; it comes out of its own lot."""
        self.taken_minor += amount_minor
        self.lot_minor -= min(self.lot_minor, amount_minor)


@dataclass(slots=True)
class Settlement:
    """What follows from decisions: post, add and change in one transaction.

    `conflicting` are decisions that came again with other data, each with what is known of it.
    """

    transfers: list[TransferPosted] = field(default_factory=list)
    born: dict[str, Life] = field(default_factory=dict)
    changed: dict[str, Life] = field(default_factory=dict)
    budgets: dict[int, Budget] = field(default_factory=dict)
    notices: list[RewardNotice] = field(default_factory=list)
    duplicates: int = 0
    conflicting: list[tuple[Life, DecisionHead]] = field(default_factory=list)


def mentioned(careful: Sequence[Careful]) -> set[str]:
    """The decisions whose lives `settle` has to know."""
    own = {one.decision.id for one in careful}
    return own | {one.decision.takes_back for one in careful if one.decision.takes_back is not None}


def budgets_mentioned(careful: Sequence[Careful]) -> set[BudgetKey]:
    """The budgets that `settle` has to know."""
    return {key for one in careful if one.decision.takes_back is None for key in budgets_of(one.decision)}


def settle(
    careful: Sequence[Careful],
    known: Mapping[str, Life],
    budgets: Budgets | None = None,
    *,
    at_ms: int,
    resumes: bool = False,
) -> Settlement:
    """Settle decisions in their order; those that are known already are dropped.

    Args:
        careful: Sound decisions.
        known: Lives of all that is mentioned, where there are any. They are changed.
        budgets: All that is mentioned. They are changed.
        at_ms: The moment of posting; a hold that ended before it is over.
        resumes: Whether these are known, and have waited; those of a budget from the first of its queue on.
    """
    done = Settlement()
    lives = dict(known)
    stuck: set[int | None] = set()
    for one in careful:
        head = one.decision
        life = lives.get(head.id)
        if life is None:
            life = lives[head.id] = _newborn(one)
            done.born[head.id] = life
        elif differing(life, head):
            done.conflicting.append((life, head))
            continue
        elif not resumes:
            done.duplicates += 1
            continue
        elif life.state != "waiting" or (life.waits_for_budget is not None and life.waits_for_budget in stuck):
            # Nobody overtakes who came before; and what a person settled meanwhile waits no more.
            continue
        else:
            done.changed[head.id] = life
        waited_for = life.waits_for_budget
        if head.takes_back is not None:
            _take_back(life, head, lives.get(head.takes_back), done, at_ms)
        elif not head.budgets or _is_borne(life, head, budgets or {}, done, at_ms):
            grant(life, head, budgets or {}, done, at_ms=at_ms, news_at_ms=at_ms if resumes else None)
        if life.state == "waiting" and life.waits_for_budget == waited_for:
            stuck.add(waited_for)
    return done


def leave_queue(life: Life, budgets: Budgets, done: Settlement) -> None:
    """It waits for no budget any more."""
    if life.waits_for_budget is None:
        return
    for budget in budgets.values():
        if budget.id == life.waits_for_budget:
            budget.waiting -= 1
            done.budgets[budget.id] = budget
    life.waits_for_budget = life.waiting_no = None


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


def _newborn(one: Careful) -> Life:
    head = one.decision
    return Life(
        decision=head.id,
        state="posted",
        beneficiary=head.beneficiary,
        unit=head.unit or "",
        available_at_ms=head.available_at_ms,
        expires_at_ms=head.expires_at_ms,
        takes_back=head.takes_back,
        head=encode_head(head),
        traceparent=one.traceparent,
    )


def _is_borne(life: Life, head: DecisionHead, budgets: Budgets, done: Settlement, at_ms: int) -> bool:
    """Whether all budgets that cover it can bear it; if not, it waits or is denied, and its partner is told once."""
    done.transfers += allot_by_rules(head, budgets, at_ms=at_ms)
    done.budgets.update({budgets[key].id: budgets[key] for key in budgets_of(head)})
    stop = blocked(head, budgets, is_first_of=life.waits_for_budget)
    if stop is None:
        leave_queue(life, budgets, done)
        return True
    is_news = life.state != "waiting"
    life.reason = stop.reason
    if not stop.waits:
        leave_queue(life, budgets, done)
        life.state = "denied"
        done.notices.append(notice(life, head, "denied", at_ms=at_ms))
        return False
    life.state = "waiting"
    if is_news:
        done.notices.append(notice(life, head, "held", at_ms=at_ms))
    waits_for = None if stop.budget is None else stop.budget.id
    if waits_for != life.waits_for_budget:
        leave_queue(life, budgets, done)
    if stop.budget is not None and life.waits_for_budget is None:
        stop.budget.waiting += 1
        stop.budget.last_waiting_no += 1
        life.waits_for_budget, life.waiting_no = stop.budget.id, stop.budget.last_waiting_no
    return False


def notice(life: Life, head: DecisionHead, kind: NoticeKind, *, at_ms: int) -> RewardNotice:
    """What the partner should know although no money moved."""
    return RewardNotice(
        id=transfer_id(head.id, kind),
        notice=kind,
        decision=head.id,
        programme=head.programme,
        rule=head.rule,
        partner=head.partner,
        beneficiary=head.beneficiary,
        amount_minor=abs(head.amount_minor or 0),
        unit=head.unit or "",
        time_ms=head.time_ms,
        posted_at_ms=at_ms,
        reason=life.reason,
        traceparent=life.traceparent,
        customer=head.customer,
        customer_name=head.customer_name,
        deal=head.deal,
        lead=head.lead,
        decimals=head.decimals,
    )


def _take_back(life: Life, head: DecisionHead, taken: Life | None, done: Settlement, at_ms: int) -> None:
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
