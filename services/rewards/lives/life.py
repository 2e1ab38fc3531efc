"""What is known of a decision, and what follows from decisions. Pure.

What is known changes only together with the transfers that say so, in one transaction (`settling.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from contracts.facts import RewardNotice, TransferPosted
from services.rewards.budgets.claims import Budget
from services.rewards.decode import DecisionHead

State = Literal["posted", "waiting", "denied", "refused"]


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
