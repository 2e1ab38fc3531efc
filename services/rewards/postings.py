"""Which transfers follow from decisions. Pure: the same decisions give the same transfers, with the same ids.

A plain grant is one transfer: from the programme's cost account to what its beneficiary has available. What depends
on what the ledger holds already (a hold, a clawback, a budget) is handed on in order, for `lives.py` to settle.
Denials, and grants without an amount (a qualified lead, a tier), move nothing. A decision that cannot be posted is
refused with its reason; nothing is skipped silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.errors import Problem
from contracts.facts import TransferPosted
from services.rewards.decode import DecisionHead
from services.rewards.faults import fault, is_sound
from services.rewards.legs import STAGE_ADJUSTED, STAGE_GRANTED, leg


@dataclass(frozen=True, slots=True)
class Careful:
    """A decision whose posting depends on what the ledger holds."""

    decision: DecisionHead
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to post, what to settle after it, and what not. `refused` holds (index of the decision, why)."""

    transfers: list[TransferPosted]
    refused: list[tuple[int, Problem]]
    careful: list[Careful] = field(default_factory=list)


def plan_transfers(decisions: Sequence[DecisionHead], traceparents: Sequence[str], *, posted_at_ms: int) -> Plan:
    """The transfers of decisions, in their order.

    Args:
        decisions: As they came; duplicates are kept, the store drops them by their id.
        traceparents: One per decision, handed on to the facts.
        posted_at_ms: The moment of posting.
    """
    transfers: list[TransferPosted] = []
    refused: list[tuple[int, Problem]] = []
    careful: list[Careful] = []
    for index, decision in enumerate(decisions):
        amount_minor = decision.amount_minor
        if not decision.granted or amount_minor is None:
            continue
        is_plain = (
            decision.available_at_ms is None
            and decision.takes_back is None
            and decision.expires_at_ms is None
            and not decision.budgets
        )
        if is_sound(decision, amount_minor):
            if is_plain:
                transfers.append(_plain_grant(decision, amount_minor, traceparents[index], posted_at_ms))
            else:
                careful.append(Careful(decision, traceparents[index]))
            continue
        problem = fault(decision)
        if problem is not None:
            refused.append((index, problem))
            continue
        # From here on nothing may fail.
        if not is_plain:
            careful.append(Careful(decision, traceparents[index]))
        elif amount_minor > 0:
            transfers.append(_plain_grant(decision, amount_minor, traceparents[index], posted_at_ms))
        else:
            transfers.append(_adjustment(decision, -amount_minor, traceparents[index], posted_at_ms))
    return Plan(transfers, refused, careful)


def _plain_grant(decision: DecisionHead, amount_minor: int, traceparent: str, posted_at_ms: int) -> TransferPosted:
    """What its beneficiary can be paid at once."""
    return leg(
        decision,
        STAGE_GRANTED,
        f"programme:{decision.programme}:cost",
        f"{decision.beneficiary}:available",
        amount_minor,
        posted_at_ms=posted_at_ms,
        traceparent=traceparent,
    )


def _adjustment(decision: DecisionHead, amount_minor: int, traceparent: str, posted_at_ms: int) -> TransferPosted:
    """What a restatement found too much goes back, also below zero: the next earnings make up for it."""
    return leg(
        decision,
        STAGE_ADJUSTED,
        f"{decision.beneficiary}:available",
        f"programme:{decision.programme}:cost",
        amount_minor,
        posted_at_ms=posted_at_ms,
        traceparent=traceparent,
    )
