"""What a run pays a beneficiary, or why it does not. Pure.

The balance belongs to a beneficiary and not to a programme. A programme pays what its own transfers have put into it
and not taken out (its share), and never more than the balance: so one programme's debt is made up for before another's
earnings leave, and all shares together are the balance, to the cent (docs/adr/0017-payouts.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.rewards.own import own_head
from services.rewards.payouts.conversion import AppliedRate
from services.rewards.payouts.payee import Payee, payee_faults
from services.rewards.payouts.payout import LeftOut, Payout, Run
from services.rewards.payouts.plan import Terms

RULE_PAYOUT: Final = "payout"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who might be paid: what is available, and what of it this programme put there."""

    beneficiary: str
    balance_minor: int
    share_minor: int

    @property
    def payable_minor(self) -> int:
        return max(0, min(self.balance_minor, self.share_minor))


def decide(
    run: Run, candidate: Candidate, payee: Payee | None, rate: AppliedRate | None, *, asked_minor: int | None = None
) -> Payout | LeftOut | None:
    """A payout, or why there is none; None for whom this programme owes nothing.

    The terms are the run's. `payee` is None when nobody said how to pay; `rate`, from the run's unit to the payee's
    currency, when there is none or none is needed; `asked_minor`, what a partner asked for, means all.
    """
    if candidate.share_minor <= 0:
        return None
    gross_minor = candidate.payable_minor if asked_minor is None else asked_minor

    def left_out(code: str, message: str) -> LeftOut:
        return LeftOut(beneficiary=candidate.beneficiary, code=code, message=message, minor=candidate.payable_minor)

    terms = run.terms
    if candidate.payable_minor == 0:
        return left_out("owes", "the balance is not above zero: what is owed carries forward")
    if gross_minor > candidate.payable_minor:
        return left_out("not-available", f"only {candidate.payable_minor} minor units of {run.unit} can be paid")
    if gross_minor < terms.minimum_minor:
        return left_out("below-minimum", f"less than the minimum of {terms.minimum_minor} minor units of {run.unit}")
    if payee is None:
        return left_out("payee-missing", "nobody has said how to pay: `goodword payouts payee set`")
    if faults := payee_faults(payee):
        return left_out("payee-invalid", "; ".join(f"{fault.where}: {fault.message}" for fault in faults))
    if terms.method is not None and payee.method != terms.method:
        return left_out("other-method", f"is paid by {payee.method}, and this run pays by {terms.method}")
    if payee.currency != run.unit and rate is None:
        return left_out("rate-missing", f"no rate from {run.unit} to {payee.currency} on {run.day}: publish one")
    payout = _payout(run, terms, candidate, payee, gross_minor, rate if payee.currency != run.unit else None)
    if payout.net_minor <= 0 or payout.pay_minor <= 0:
        return left_out("nothing-left", "nothing is left to pay after the fee and the conversion")
    return payout


def _payout(
    run: Run, terms: Terms, candidate: Candidate, payee: Payee, gross_minor: int, rate: AppliedRate | None
) -> Payout:
    reference = f"{run.reference}/{candidate.beneficiary.replace(':', '/')}"
    head = own_head(
        RULE_PAYOUT,
        reference,
        programme=run.programme,
        beneficiary=candidate.beneficiary,
        unit=run.unit,
        at_ms=run.prepared_at_ms,
    )
    payout = Payout(
        id=head.id,
        run=run.id,
        reference=reference,
        beneficiary=candidate.beneficiary,
        programme=run.programme,
        unit=run.unit,
        gross_minor=gross_minor,
        fee_minor=terms.fee_minor,
        fee_borne_by=terms.fee_borne_by,
        currency=payee.currency,
        pay_minor=0,
        state="prepared",
        payee=payee,
        prepared_at_ms=run.prepared_at_ms,
        rate=rate,
        changed_at_ms=run.prepared_at_ms,
    )
    payout.pay_minor = payout.net_minor if rate is None else rate.of(max(0, payout.net_minor))
    return payout
