"""What is wrong with a decision that moves money: the first fault in a fixed order, or None. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from contracts.decisions import BudgetClaim
from contracts.errors import Problem
from contracts.ids import is_id
from contracts.money import AMOUNT_MINOR_MAX, UNIT_DECIMALS_MAX, is_unit
from services.rewards import chart
from services.rewards.budgets.claims import BudgetKey
from services.rewards.decode import DecisionHead, is_decision_id

REVISION_MAX: Final = 2**31 - 1
TIME_MS_MIN: Final = -62_135_596_800_000
"""The first millisecond of year 1."""
TIME_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of year 9999."""
TEXT_LENGTH_MAX: Final = 1_024

_TEXT_FIELDS: Final = ("rule", "event_source", "event_id", "customer", "customer_name", "deal", "lead")
_TIME_FIELDS: Final = ("time_ms", "available_at_ms", "expires_at_ms")


def is_sound(decision: DecisionHead, amount_minor: int) -> bool:
    """Whether `fault` would find nothing in a grant, at a third of its cost: what repeats is remembered.

    It may say no to a sound decision (many long texts, anything but a grant), never yes to a faulty one.
    """
    own = f"{decision.event_id}{decision.customer}{decision.customer_name}{decision.deal}{decision.lead}"
    return (
        is_decision_id(decision.id)
        and 0 < amount_minor <= AMOUNT_MINOR_MAX
        and 0 <= (decision.decimals or 0) <= UNIT_DECIMALS_MAX
        and TIME_MS_MIN <= decision.time_ms <= TIME_MS_MAX
        and len(own) <= TEXT_LENGTH_MAX
        and "\0" not in own
        and decision.takes_back is None
        and _is_time_or_none(decision.available_at_ms)
        and _is_time_or_none(decision.expires_at_ms)
        and (not decision.budgets or _are_claims_sound(decision.programme, decision.budgets))
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


def _is_time_or_none(time_ms: int | None) -> bool:
    return time_ms is None or TIME_MS_MIN <= time_ms <= TIME_MS_MAX


@lru_cache(maxsize=4_096)
def _are_claims_sound(programme: str, claims: tuple[BudgetClaim, ...]) -> bool:
    return _claims_fault(programme, claims) is None


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


def fault(decision: DecisionHead) -> Problem | None:
    """The first thing wrong with a granted decision that carries an amount; the order is tested."""
    if not is_decision_id(decision.id):
        return _problem("decision-id-malformed", f"{decision.id!r} is not the UUIDv8 of a decision", "id")
    if decision.takes_back is not None and not is_decision_id(decision.takes_back):
        return _problem(
            "takes-back-malformed", f"{decision.takes_back!r} is not the UUIDv8 of a decision", "takes_back"
        )
    lowest, highest = _amounts_of(decision)
    amount_minor = decision.amount_minor or 0
    if amount_minor == 0 or not lowest <= amount_minor <= highest:
        return _problem("amount-out-of-range", f"{amount_minor} is not {lowest} … {highest}", "amount_minor")
    if decision.unit is None or not is_unit(decision.unit):
        return _problem("unit-malformed", f"{decision.unit!r} does not name a unit", "unit")
    if not 0 <= (decision.decimals or 0) <= UNIT_DECIMALS_MAX:
        return _problem("decimals-out-of-range", f"{decision.decimals} is not 0 … {UNIT_DECIMALS_MAX}", "decimals")
    for name in _TIME_FIELDS:
        time_ms = getattr(decision, name)
        if time_ms is not None and not TIME_MS_MIN <= time_ms <= TIME_MS_MAX:
            return _problem("time-out-of-range", f"{time_ms} ms is not in the years 1 to 9999", name)
    if not 0 <= decision.revision <= REVISION_MAX:
        return _problem("revision-out-of-range", f"{decision.revision} is not 0 … {REVISION_MAX}", "revision")
    return (
        _text_fault(decision)
        or _address_fault(decision.programme, decision.beneficiary, decision.partner)
        or _claims_fault(decision.programme, decision.budgets)
    )


def _amounts_of(decision: DecisionHead) -> tuple[int, int]:
    """The amounts that may be decided: below zero where something is taken back, both ways in a restatement."""
    if decision.takes_back is not None:
        return -AMOUNT_MINOR_MAX, -1
    return (1 if decision.restates is None else -AMOUNT_MINOR_MAX), AMOUNT_MINOR_MAX


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


def _claims_fault(programme: str, claims: tuple[BudgetClaim, ...]) -> Problem | None:
    for claim in claims:
        account = BudgetKey(programme, claim.budget, claim.period, claim.unit).account
        if not is_unit(claim.unit) or not 0 <= claim.amount_minor <= AMOUNT_MINOR_MAX or chart.fault(account):
            return _problem("budget-malformed", f"{claim} does not name a budget", "budgets")
    return None


def _problem(code: str, message: str, where: str, help: str = "") -> Problem:
    return Problem(code=code, message=message, where=where, help=help)
