"""Whether a decision that comes again is the one that is known. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from services.rewards.decode import DecisionHead, encode_head
from services.rewards.lives.life import Life


def kept(life: Life) -> dict[str, Any]:
    """What is known of the decision as it first came; less of one that was posted without a life."""
    if life.head is not None:
        known: dict[str, Any] = msgspec.json.decode(life.head)
        return known
    return {
        "amount_minor": life.granted_minor,
        "available_at_ms": life.available_at_ms,
        "beneficiary": life.beneficiary,
        "takes_back": life.takes_back,
        "unit": life.unit,
    }


def differing(life: Life, head: DecisionHead) -> list[str]:
    """The fields in which the decision differs from the one that is known, in order; none if it is the same."""
    if life.head is not None and life.head == encode_head(head):
        return []
    known, received = kept(life), msgspec.to_builtins(head)
    names = known.keys() if life.head is None else known.keys() | received.keys()
    return sorted(name for name in names if received.get(name) != known.get(name))
