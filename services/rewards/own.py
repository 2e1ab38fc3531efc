"""Heads of what no event of anybody's is behind: what the ledger does of its own accord, or for a person.

Pure. Such a head is one like a decision's, so that every transfer has the same shape and is explained the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts.facts import LEDGER_SOURCE
from contracts.ids import derived_uuid
from services.rewards.decode import DecisionHead


def own_head(
    kind: str,
    reference: str,
    *,
    programme: str,
    beneficiary: str,
    unit: str,
    at_ms: int,
    told_apart_by: Sequence[str | int] = (),
    decimals: int | None = None,
) -> DecisionHead:
    """The head of one operation: the same arguments make the same id, whoever asks and how often.

    Args:
        kind: What it is, in the field's word: `write-off`, `payout`, `redemption`. It stands as the rule.
        reference: What names it among its kind; with the kind it is the event's id (`payout/…`), so it has no colon.
        programme: Whose books it is in.
        beneficiary: Whom it is about (`partner:moses-frase`).
        unit: Of the amounts that move.
        at_ms: When it happened; the id sorts by it.
        told_apart_by: What else tells it from others of that reference and moment.
        decimals: Of the unit, where they are not what `contracts.money.assumed_decimals` says.
    """
    return DecisionHead(
        id=derived_uuid(at_ms, msgspec.json.encode([kind, reference, unit, at_ms, *told_apart_by])),
        granted=True,
        programme=programme,
        revision=0,
        rule=kind,
        partner=beneficiary.partition(":")[2],
        beneficiary=beneficiary,
        event_source=LEDGER_SOURCE,
        event_id=f"{kind}/{reference}",
        time_ms=at_ms,
        unit=unit,
        decimals=decimals,
    )
