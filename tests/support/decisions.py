"""Decisions for tests of the ledger: as the rules service would make them, one line each."""

from __future__ import annotations

from typing import Any

from contracts.decisions import Decision, TraceLine
from contracts.ids import decision_id
from services.rewards.decode import DecisionHead

TIME_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""
SOURCE = "crm/acme"
TRACE = (TraceLine("deal.amount >= 500 USD", "1000.00 USD", "met", "qualified.deal"),)


def decided(number: int, *, partner: str = "ann", programme: str = "crm-sales", **fields: Any) -> Decision:
    """The decision on event `opp-<number>-won`: granted 100.00 USD unless told otherwise."""
    known: dict[str, Any] = {
        "rule": "commission",
        "beneficiary": f"partner:{partner}",
        "event_source": SOURCE,
        "event_id": f"opp-{number}-won",
        "time_ms": TIME_MS + number * 1_000,
        "granted": True,
        "revision": 1,
        "event_type": "deal.won",
        "amount_minor": 10_000,
        "unit": "USD",
        "customer": "cancity",
        "customer_name": "Cancity",
        "deal": f"deal-{number}",
        "trace": TRACE,
    } | fields
    id = known.pop("id", None) or decision_id(
        time_ms=known["time_ms"],
        programme=programme,
        source=known["event_source"],
        event_id=known["event_id"],
        rule=known["rule"],
        beneficiary=known["beneficiary"],
    )
    return Decision(id=id, programme=programme, partner=partner, **known)


def denied(number: int, reason: str = "deal.amount >= 500 USD", **fields: Any) -> Decision:
    """A denial, with the reason that the rules would give."""
    trace = (TraceLine(reason, "499.99 USD", "not met", "qualified.deal"),)
    return decided(
        number, **({"granted": False, "amount_minor": None, "unit": None, "reason": reason, "trace": trace} | fields)
    )


def head(decision: Decision) -> DecisionHead:
    """What the ledger reads of it."""
    return DecisionHead(**{name: getattr(decision, name) for name in DecisionHead.__struct_fields__})
