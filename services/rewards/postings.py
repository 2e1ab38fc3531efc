"""Which transfers follow from decisions. Pure: the same decisions give the same transfers, with the same ids.

A granted decision with an amount is one transfer: from the programme's cost account to what its beneficiary has
available. Denials, and grants without an amount (a qualified lead, a tier), move nothing. A decision that cannot
be posted is refused with its reason; nothing is skipped silently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from contracts.errors import Problem
from contracts.facts import TransferPosted
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, UNIT_DECIMALS_MAX, is_unit
from services.rewards import chart
from services.rewards.decode import DecisionHead, is_decision_id

STAGE_GRANTED: Final = "granted"
REVISION_MAX: Final = 2**31 - 1
TIME_MS_MIN: Final = -62_135_596_800_000
"""The first millisecond of year 1."""
TIME_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of year 9999."""
TEXT_LENGTH_MAX: Final = 1_024

_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_TEXT_FIELDS: Final = ("rule", "event_source", "event_id", "customer", "customer_name", "deal", "lead")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to post, and what not. `refused` holds (index of the decision, why)."""

    transfers: list[TransferPosted]
    refused: list[tuple[int, Problem]]


def plan_transfers(decisions: Sequence[DecisionHead], traceparents: Sequence[str], *, posted_at_ms: int) -> Plan:
    """The transfers of decisions, in their order.

    Args:
        decisions: As they came; duplicates are kept, the store drops them by their id.
        traceparents: One per decision, handed on to the facts.
        posted_at_ms: The moment of posting.
    """
    transfers: list[TransferPosted] = []
    refused: list[tuple[int, Problem]] = []
    for index, decision in enumerate(decisions):
        if not decision.granted or decision.amount_minor is None:
            continue
        problem = None if _is_sound(decision, decision.amount_minor) else _fault(decision)
        if problem is not None:
            refused.append((index, problem))
            continue
        # From here on nothing may fail.
        transfers.append(_transfer(decision, decision.amount_minor, traceparents[index], posted_at_ms))
    return Plan(transfers, refused)


def granted_transfer_id(decision: str) -> str:
    """`contracts.ids.transfer_id(decision, "granted")`, at half its cost; a test holds the two together.

    Args:
        decision: A decision's id as `is_decision_id` wants it, so the JSON needs no escapes and the time no parsing.
    """
    digest = hashlib.sha256(b'["%b","granted",0]' % decision.encode()).hexdigest()
    return f"{decision[:13]}-8{digest[:3]}-{_VARIANTS[digest[3]]}{digest[4:7]}-{digest[7:19]}"


def _transfer(decision: DecisionHead, amount_minor: int, traceparent: str, posted_at_ms: int) -> TransferPosted:
    id = granted_transfer_id(decision.id)
    return TransferPosted(
        id=id,
        group=id,
        stage=STAGE_GRANTED,
        decision=decision.id,
        programme=decision.programme,
        rule=decision.rule,
        partner=decision.partner,
        debit=f"programme:{decision.programme}:cost",
        credit=f"{decision.beneficiary}:available",
        amount_minor=amount_minor,
        unit=decision.unit or "",
        event_source=decision.event_source,
        event_id=decision.event_id,
        time_ms=decision.time_ms,
        posted_at_ms=posted_at_ms,
        revision=decision.revision,
        traceparent=traceparent,
        customer=decision.customer,
        customer_name=decision.customer_name,
        deal=decision.deal,
        lead=decision.lead,
        decimals=decision.decimals,
    )


def _is_sound(decision: DecisionHead, amount_minor: int) -> bool:
    """Whether `_fault` would find nothing, at a third of its cost: what repeats is remembered, the rest is one text.

    It may say no to a sound decision (many long texts), never yes to a faulty one.
    """
    own = f"{decision.event_id}{decision.customer}{decision.customer_name}{decision.deal}{decision.lead}"
    return (
        is_decision_id(decision.id)
        and decision.available_at_ms is None
        and 0 < amount_minor <= AMOUNT_MINOR_MAX
        and 0 <= (decision.decimals or 0) <= UNIT_DECIMALS_MAX
        and TIME_MS_MIN <= decision.time_ms <= TIME_MS_MAX
        and len(own) <= TEXT_LENGTH_MAX
        and "\0" not in own
        and _are_names_sound(
            decision.programme,
            decision.beneficiary,
            decision.partner,
            decision.unit,
            decision.revision,
            decision.rule,
            decision.event_source,
        )
    )


@lru_cache(maxsize=65_536)
def _are_names_sound(
    programme: str, beneficiary: str, partner: str, unit: str | None, revision: int, rule: str, source: str
) -> bool:
    names = rule + source
    return (
        unit is not None
        and is_unit(unit)
        and 0 <= revision <= REVISION_MAX
        and len(names) <= TEXT_LENGTH_MAX
        and "\0" not in names
        and _address_fault(programme, beneficiary, partner) is None
    )


def _fault(decision: DecisionHead) -> Problem | None:
    """The first thing wrong with a granted decision that carries an amount; the order is tested."""
    if not is_decision_id(decision.id):
        return _problem("decision-id-malformed", f"{decision.id!r} is not the UUIDv8 of a decision", "id")
    if decision.available_at_ms is not None:
        return _problem(
            "hold-not-carried-out",
            "the decision has a hold, and this version of the ledger carries out none",
            "available_at_ms",
            "upgrade the rewards service, then replay the dead letter",
        )
    if not 0 < (decision.amount_minor or 0) <= AMOUNT_MINOR_MAX:
        return _problem("amount-out-of-range", f"{decision.amount_minor} is not 1 … {AMOUNT_MINOR_MAX}", "amount_minor")
    if decision.unit is None or not is_unit(decision.unit):
        return _problem("unit-malformed", f"{decision.unit!r} does not name a unit", "unit")
    if not 0 <= (decision.decimals or 0) <= UNIT_DECIMALS_MAX:
        return _problem("decimals-out-of-range", f"{decision.decimals} is not 0 … {UNIT_DECIMALS_MAX}", "decimals")
    if not TIME_MS_MIN <= decision.time_ms <= TIME_MS_MAX:
        return _problem("time-out-of-range", f"{decision.time_ms} ms is not in the years 1 to 9999", "time_ms")
    if not 0 <= decision.revision <= REVISION_MAX:
        return _problem("revision-out-of-range", f"{decision.revision} is not 0 … {REVISION_MAX}", "revision")
    return _text_fault(decision) or _address_fault(decision.programme, decision.beneficiary, decision.partner)


def _text_fault(decision: DecisionHead) -> Problem | None:
    for name in _TEXT_FIELDS:
        text = getattr(decision, name)
        # PostgreSQL's text holds any character but NUL.
        if text is not None and ("\0" in text or len(text) > TEXT_LENGTH_MAX):
            return _problem("text-not-storable", f"holds NUL or more than {TEXT_LENGTH_MAX} characters", name)
    return None


def _address_fault(programme: str, beneficiary: str, partner: str) -> Problem | None:
    if not is_id(partner):
        return _problem("partner-malformed", f"{partner!r} is not an id", "partner")
    return chart.fault(f"programme:{programme}:cost") or chart.fault(f"{beneficiary}:available")


def _problem(code: str, message: str, where: str, help: str = "") -> Problem:
    return Problem(code=code, message=message, where=where, help=help)
