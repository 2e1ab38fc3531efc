"""What both sides are compared as: a transfer, and what the ledger knows of a decision beside it. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Kind = Literal["missing", "extra", "different"]
Bucket = Literal["posted", "waiting", "denied", "refused", "unread", "not_taken", "unexplained"]
"""Where the amount of a decision is: in transfers, or why it is not.

`waiting`: for a budget, or for the grant it takes from; `denied`: its budget is spent; `refused`: the ledger cannot
take it; `unread`: the ledger has not read it yet; `not_taken`: there was not so much left to take back.
"""
BUCKETS: Final[tuple[Bucket, ...]] = (
    "posted",
    "waiting",
    "denied",
    "refused",
    "unread",
    "not_taken",
    "unexplained",
)


class Row(msgspec.Struct, frozen=True, gc=False):
    """One transfer as it stands in the ledger; the fields in the order in which they are read."""

    id: str
    decision: str
    stage: str
    debit: str
    credit: str
    amount_minor: int
    unit: str
    programme: str
    rule: str
    revision: int
    partner: str
    event_source: str
    event_id: str
    time_ms: int
    customer: str | None
    deal: str | None
    lead: str | None
    available_at_ms: int | None
    expires_at_ms: int | None
    takes_back: str | None
    booked_by: str | None


class Known(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the ledger knows of a decision that it settles with care; what is read of `rewards.lives`."""

    decision: str
    state: str
    beneficiary: str
    unit: str
    granted_minor: int
    pending_minor: int
    taken_minor: int
    expired_minor: int
    legs: int
    available_at_ms: int | None
    expires_at_ms: int | None
    takes_back: str | None
    reason: str
    has_head: bool


class Difference(msgspec.Struct, frozen=True):
    """One field that is not as the decision has it."""

    field: str
    decided: str | int | None
    posted: str | int | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as the log says.

    Attributes:
        kind: `missing`: decided and not posted; `extra`: posted and not decided; `different`: posted otherwise.
        transfer: None of what is missing.
        stage: Of the transfer, or of the one that is missing.
        minor, unit: The amount of the transfer; of what is missing, the amount that is.
        differences: Of `different`, every field.
        why: In words.
    """

    kind: Kind
    decision: str
    transfer: str | None
    stage: str
    programme: str
    partner: str
    minor: int
    unit: str
    differences: tuple[Difference, ...] = ()
    why: str = ""
