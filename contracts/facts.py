"""Ledger facts: what was posted, as it leaves the ledger on `goodword.ledger` (key: partner).

A CloudEvent of type `transfer.posted`, its id the transfer's, its time the event's.
"""

from __future__ import annotations

from typing import Final

import msgspec

TRANSFER_POSTED: Final = "transfer.posted"
LEDGER_SOURCE: Final = "goodword/rewards"


class TransferPosted(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One transfer: a debit account, a credit account, an amount and its unit, so it cannot be unbalanced.

    Attributes:
        id: Derived from the decision and the stage (`contracts.ids.transfer_id`).
        group: Legs of one posting share it; all are written or none.
        stage: `granted`, later `released`, `paid`, `clawed_back`, …
        time_ms: When the event behind it happened.
        posted_at_ms: When the ledger committed to it.
        revision: The rule set's revision that decided it; 0 when no rule set did.
        decimals: Of the unit, where they are not what `contracts.money.assumed_decimals` says.
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


_encoder: Final = msgspec.json.Encoder()
_list_decoder: Final = msgspec.json.Decoder(list[TransferPosted])
_decoder: Final = msgspec.json.Decoder(TransferPosted)


def encode_transfer(fact: TransferPosted) -> bytes:
    return _encoder.encode(fact)


def decode_transfer(value: bytes) -> TransferPosted:
    return _decoder.decode(value)


def decode_transfer_list(values: list[bytes]) -> list[TransferPosted]:
    """All of a batch in one decode; one bad value fails all."""
    return _list_decoder.decode(b"[" + b",".join(values) + b"]")
