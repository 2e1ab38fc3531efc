"""Decisions as the ledger reads them: everything but the trace, which costs half the decoding and moves no money.

Pure. A batch is decoded in one go; if that fails, one by one, so that each bad record is told by its offset.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from contracts.decisions import BudgetClaim
from contracts.errors import Problem


class DecisionHead(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """`contracts.decisions.Decision` without what the ledger has no use for; the same names mean the same.

    Kept as JSON in `rewards.lives` and compared there: fields are only ever added, with a default that is omitted.
    """

    id: str
    granted: bool
    programme: str
    revision: int
    rule: str
    partner: str
    beneficiary: str
    event_source: str
    event_id: str
    time_ms: int
    amount_minor: int | None = None
    unit: str | None = None
    available_at_ms: int | None = None
    customer: str | None = None
    customer_name: str | None = None
    lead: str | None = None
    deal: str | None = None
    decimals: int | None = None
    takes_back: str | None = None
    expires_at_ms: int | None = None
    restates: str | None = None
    budgets: tuple[BudgetClaim, ...] = ()
    tier_to: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decisions of a batch. `indexes[i]` is the place in the batch of `decisions[i]`."""

    decisions: Sequence[DecisionHead]
    indexes: Sequence[int]
    bad: Sequence[tuple[int, Problem]]


_DECISION_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_decoder: Final = msgspec.json.Decoder(DecisionHead)
_encoder: Final = msgspec.json.Encoder()
_list_decoder: Final = msgspec.json.Decoder(list[DecisionHead])


def is_decision_id(text: str) -> bool:
    """Whether this is a UUIDv8 in the one way we write it; another spelling would be another id to derive from."""
    return _DECISION_ID.fullmatch(text) is not None


def encode_head(head: DecisionHead) -> str:
    return _encoder.encode(head).decode()


def decode_head(text: str) -> DecisionHead:
    return _decoder.decode(text)


def decode_heads(values: Sequence[bytes]) -> Decoded:
    """Decode what can be decoded; `bad` says why the rest cannot."""
    try:
        decisions = _list_decoder.decode(b"[" + b",".join(values) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError):
        decisions = []
    # A value of two objects decodes in a list, but is not a decision.
    if len(decisions) == len(values):
        return Decoded(decisions, range(len(values)), ())
    return _one_by_one(values)


def _one_by_one(values: Sequence[bytes]) -> Decoded:
    decisions: list[DecisionHead] = []
    indexes: list[int] = []
    bad: list[tuple[int, Problem]] = []
    for index, value in enumerate(values):
        try:
            decisions.append(_decoder.decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            bad.append((index, Problem(code="not-a-decision", message=f"the value is not a decision: {error}")))
        else:
            indexes.append(index)
    return Decoded(decisions, indexes, bad)
