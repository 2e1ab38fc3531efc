"""What the considered rewards come to for one event: granted or denied, each with its whole trace.

This is where most decisions are made, so they are made in one loop, on local names.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.decisions import Decision, TraceLine
from contracts.events import Event
from services.rules.considered import RewardRule
from services.rules.decide import VARIANTS, Case
from services.rules.slots import CUSTOMER_ID, STATE, Slots
from services.rules.state import beneficiary_json


def decide_rewards(
    case: Case,
    rules: Sequence[RewardRule],
    event: Event,
    x: Slots,
    blocked: str,
    gate_trace: tuple[TraceLine, ...],
    tier: str | None,
) -> None:
    """Grant or deny each of these rewards, in order; `blocked` is why the event can earn nothing."""
    state = x[STATE]
    revision, begun = case.revision, case.hash
    stamp, shared = case.shared()
    programme, partner, event_type, source, event_id, time_ms, share, customer, name, lead, deal, product = shared
    share_ppm = event.data.share_ppm
    add = case.decisions.append
    for rule in rules:
        beneficiary, as_json = state.beneficiary, state.beneficiary_json
        reason, trace = blocked, gate_trace
        amount_minor = unit = base_minor = base_unit = percent_ppm = None
        clamped_minor = 0
        if rule.to != "partner":
            paid = x[CUSTOMER_ID] if rule.to == "customer" else event.data.member
            if paid is None:
                reason = reason or f"{rule.to} is missing"
            else:
                beneficiary = f"{rule.to}:{paid}"
                as_json = beneficiary_json(beneficiary)
        if not reason:
            if rule.when is not None:
                _, reason, lines = rule.when(x)
                trace += lines
            if not reason:
                granted = rule.amount.work_out(x, share_ppm)
                reason = granted.reason
                if granted.trace:
                    trace += granted.trace
                base_minor, base_unit, percent_ppm = granted.base_minor, granted.base_unit, granted.percent_ppm
                if not reason:
                    amount_minor, unit, clamped_minor = granted.amount_minor, granted.unit, granted.clamped_minor
        digest = begun.copy()
        digest.update(rule.json + as_json)
        hexed = digest.hexdigest()
        add(
            Decision(
                f"{stamp}{hexed[:3]}-{VARIANTS[hexed[3]]}{hexed[4:7]}-{hexed[7:19]}",
                not reason,
                programme,
                revision,
                rule.id,
                partner,
                beneficiary,
                event_type,
                source,
                event_id,
                time_ms,
                amount_minor,
                unit,
                base_minor,
                base_unit,
                percent_ppm,
                share,
                tier,
                None,
                clamped_minor,
                None,
                reason,
                customer,
                name,
                lead,
                deal,
                product,
                trace,
            )
        )
