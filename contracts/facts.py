"""Ledger facts: what was posted, as it leaves the ledger on `goodword.ledger` (key: partner).

A CloudEvent of type `transfer.posted`, its id the transfer's, its time the event's; or of type `reward.notice`:
what a partner should know although no money moved; or of type `ledger.head` (key `ledger:head`): where the ledger's
hash chain stands, signed. Facts of the first two kinds carry the block that they are in, and its hash, as
`ce_ledgerblock` and `ce_ledgerhash`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

TRANSFER_POSTED: Final = "transfer.posted"
REWARD_NOTICE: Final = "reward.notice"
LEDGER_HEAD: Final = "ledger.head"
LEDGER_HEAD_KEY: Final = b"ledger:head"
"""No partner can be called so: ids have no colon."""
LEDGER_SOURCE: Final = "goodword/rewards"


class TransferPosted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One transfer: a debit account, a credit account, an amount and its unit, so it cannot be unbalanced.

    Name the fields when making one; only the ledger's hot path passes them by position, because naming so many costs it
    several times the rest.

    Attributes:
        id: Derived from the decision and the stage (`contracts.ids.transfer_id`).
        group: Legs of one posting share it; all are written or none.
        stage: `granted`, `released`, `voided`, `clawed_back`, `adjusted`, `expired`, `written_off`; of budgets
            `allotted` and `claimed`; of redemptions `reserved`, `redeemed`, `credited` (what a credit gives) and
            `cancelled`; of memberships `fee_charged` and `fee_refunded`; of payouts `payout_prepared`,
            `payout_approved`, `payout_sent`, `paid`, `payout_fee`, `payout_returned`, `payout_cancelled`,
            `converted` and `rounded`. docs/ledger.md has each as a T-account.
        time_ms: When the event behind it happened.
        posted_at_ms: When the ledger committed to it.
        revision: The rule set's revision that decided it; 0 when no rule set did.
        decimals: Of the unit, where they are not what `contracts.money.assumed_decimals` says.
        available_at_ms: End of the hold; None without one.
        expires_at_ms: When what was granted expires unspent; None: never.
        takes_back: Of a clawback, the decision that it takes from.
        reason, booked_by: Of what was booked by hand: why, and who did it.
        news_at_ms: When it became news, where that is not the event's time: a release, an expiry, a grant that had
            waited.
    """

    id: str
    group: str
    stage: str
    decision: str
    programme: str
    rule: str
    partner: str
    debit: str
    credit: str
    amount_minor: int
    unit: str
    event_source: str
    event_id: str
    time_ms: int
    posted_at_ms: int
    revision: int = 0
    traceparent: str = ""
    customer: str | None = None
    customer_name: str | None = None
    deal: str | None = None
    lead: str | None = None
    decimals: int | None = None
    available_at_ms: int | None = None
    expires_at_ms: int | None = None
    takes_back: str | None = None
    reason: str | None = None
    booked_by: str | None = None
    news_at_ms: int | None = None


NoticeKind = Literal["held", "denied", "expiring"]


class RewardNotice(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What happened to a reward without a transfer.

    Attributes:
        id: Derived, so that N deliveries are one notice.
        notice: `held`: its budget is spent, it waits; `denied`: its budget is spent, it will not be paid; `expiring`:
            `amount_minor` expires from `expires_at_ms` on unless it is spent.
        decision: The decision it is about; of `expiring`, the one whose part expires first.
        time_ms: When it became news.
        reason: In words, stable enough to test on: `budget yearly is spent`.
    """

    id: str
    notice: NoticeKind
    decision: str
    programme: str
    rule: str
    partner: str
    beneficiary: str
    amount_minor: int
    unit: str
    time_ms: int
    posted_at_ms: int
    reason: str = ""
    traceparent: str = ""
    customer: str | None = None
    customer_name: str | None = None
    deal: str | None = None
    lead: str | None = None
    decimals: int | None = None
    expires_at_ms: int | None = None


class LedgerHead(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Where the chain stands: every block up to this one is sealed by this hash.

    Attributes:
        block: Number of the newest block.
        hash: Of that block, as 64 hexadecimal digits.
        hash_version: Of that block.
        public_key: Ed25519, as 64 hexadecimal digits; whoever checks should know it from elsewhere.
        signature: Over `goodword/ledger/head/1`, the number (int64), the hash, and the time (int64), big-endian.
    """

    id: str
    block: int
    hash: str
    hash_version: int
    signed_at_ms: int
    public_key: str
    signature: str


Fact = TransferPosted | RewardNotice

_encoder: Final = msgspec.json.Encoder()
_list_decoder: Final = msgspec.json.Decoder(list[TransferPosted])
_decoder: Final = msgspec.json.Decoder(TransferPosted)
_notice_list_decoder: Final = msgspec.json.Decoder(list[RewardNotice])
_head_decoder: Final = msgspec.json.Decoder(LedgerHead)
_notice_decoder: Final = msgspec.json.Decoder(RewardNotice)


def encode_fact(fact: Fact | LedgerHead) -> bytes:
    return _encoder.encode(fact)


def encode_facts(facts: Sequence[Fact]) -> bytes:
    """A JSON array of what `encode_fact` gives, at a third of its cost."""
    return _encoder.encode(facts)


def decode_notice_list(values: list[bytes]) -> list[RewardNotice]:
    """All of a batch in one decode; one bad value fails all."""
    return _notice_list_decoder.decode(b"[" + b",".join(values) + b"]")


def decode_head(value: bytes) -> LedgerHead:
    return _head_decoder.decode(value)


def decode_notice(value: bytes) -> RewardNotice:
    return _notice_decoder.decode(value)


def decode_transfer(value: bytes) -> TransferPosted:
    return _decoder.decode(value)


def decode_transfer_list(values: list[bytes]) -> list[TransferPosted]:
    """All of a batch in one decode; one bad value fails all."""
    return _list_decoder.decode(b"[" + b",".join(values) + b"]")
