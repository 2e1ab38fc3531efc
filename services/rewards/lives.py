"""The life of a reward whose posting depends on what the ledger holds: its hold, and what is taken back. Pure.

Given what is known of the decisions it mentions, `settle` says which transfers follow and what is known afterwards. A
decision is settled once: what is known of it answers every redelivery. What is known changes only together with the
transfers that say so, in one transaction (`settling.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from contracts.facts import TransferPosted
from services.rewards.decode import DecisionHead, decode_head, encode_head
from services.rewards.legs import STAGE_CLAWED_BACK, STAGE_GRANTED, STAGE_RELEASED, STAGE_VOIDED, leg
from services.rewards.postings import Careful

State = Literal["posted", "waiting", "refused"]
WAITS_FOR_GRANT: Final = "the decision that it takes from has not been posted yet"


class Life(msgspec.Struct, gc=False, kw_only=True):
    """What is known of a decision; a row of `rewards.lives`.

    Attributes:
        state: `posted`: what follows from it is in the ledger; `waiting`: nothing is yet; `refused`: nothing will
            ever be.
        beneficiary, unit: Whose, and of what.
        granted_minor: What was granted; 0 of a clawback.
        pending_minor: What of that is still on hold.
        taken_minor: What of that was taken back or voided.
        legs: Releases and voids so far, so that each has an id of its own.
        available_at_ms: End of the hold. Nobody changes it.
        takes_back, waits_for: Decisions.
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
    legs: int = 0
    available_at_ms: int | None = None
    takes_back: str | None = None
    waits_for: str | None = None
    reason: str = ""
    head: str | None = None
    traceparent: str = ""

    @property
    def takeable_minor(self) -> int:
        """What a clawback can still take."""
        return self.granted_minor - self.taken_minor if self.state == "posted" else 0


@dataclass(slots=True)
class Settlement:
    """What follows from decisions: post, add and change in one transaction.

    `conflicting` are decisions that came again with other data, each with what is known of it.
    """

    transfers: list[TransferPosted] = field(default_factory=list)
    born: dict[str, Life] = field(default_factory=dict)
    changed: dict[str, Life] = field(default_factory=dict)
    duplicates: int = 0
    conflicting: list[tuple[Life, DecisionHead]] = field(default_factory=list)


def mentioned(careful: Sequence[Careful]) -> set[str]:
    """The decisions whose lives `settle` has to know."""
    own = {one.decision.id for one in careful}
    return own | {one.decision.takes_back for one in careful if one.decision.takes_back is not None}


def settle(careful: Sequence[Careful], known: Mapping[str, Life], *, at_ms: int) -> Settlement:
    """Settle decisions in their order; those that are known already are dropped, but for those that wait.

    Args:
        careful: Sound decisions.
        known: Lives of all that is mentioned, where there are any. They are changed.
        at_ms: The moment of posting; a hold that ended before it is over.
    """
    done = Settlement()
    lives = dict(known)
    for one in careful:
        head = one.decision
        life = lives.get(head.id)
        if life is not None:
            text = encode_head(head)
            if life.head != text:
                done.conflicting.append((life, head))
                continue
            if life.state != "waiting":
                done.duplicates += 1
                continue
            done.changed[head.id] = life
        else:
            life = lives[head.id] = _newborn(one)
            done.born[head.id] = life
        if head.takes_back is None:
            _grant(life, head, done, at_ms)
        else:
            _take_back(life, head, lives.get(head.takes_back), done, at_ms)
    return done


def release(life: Life, amount_minor: int, *, at_ms: int, **by_hand: str) -> TransferPosted:
    """Let go of a part of a hold, or of all of it. `by_hand`: `reason` and `booked_by`, where a person does it."""
    head = decode_head(life.head or "")
    life.pending_minor -= amount_minor
    life.legs += 1
    return leg(
        head,
        STAGE_RELEASED,
        f"{life.beneficiary}:pending",
        f"{life.beneficiary}:available",
        amount_minor,
        posted_at_ms=at_ms,
        traceparent=life.traceparent,
        part=life.legs - 1,
        news_at_ms=at_ms if by_hand else life.available_at_ms,
        **by_hand,
    )


def void(life: Life, amount_minor: int, *, at_ms: int, reason: str, booked_by: str) -> TransferPosted:
    """Take back a part of a hold by hand, or all of it."""
    head = decode_head(life.head or "")
    life.pending_minor -= amount_minor
    life.taken_minor += amount_minor
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
        reason=reason,
        booked_by=booked_by,
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
        takes_back=head.takes_back,
        head=encode_head(head),
        traceparent=one.traceparent,
    )


def _grant(life: Life, head: DecisionHead, done: Settlement, at_ms: int) -> None:
    """From cost to what is on hold; on to what is available in the same posting, where the hold is over already."""
    amount_minor = life.granted_minor = head.amount_minor or 0
    is_held = head.available_at_ms is not None
    place = "pending" if is_held else "available"
    granted = leg(
        head,
        STAGE_GRANTED,
        f"programme:{head.programme}:cost",
        f"{head.beneficiary}:{place}",
        amount_minor,
        posted_at_ms=at_ms,
        traceparent=life.traceparent,
    )
    done.transfers.append(granted)
    if head.available_at_ms is None:
        return
    life.pending_minor = amount_minor
    if head.available_at_ms <= at_ms:
        done.transfers.append(msgspec.structs.replace(release(life, amount_minor, at_ms=at_ms), group=granted.id))


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
    taken.taken_minor += amount_minor
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
