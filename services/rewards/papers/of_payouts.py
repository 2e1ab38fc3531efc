"""What an invoice of a payout says: its supplier from the payee's tax fields, its lines from what was earned. Pure.

A payout takes a sum out of a balance. Its lines are what the programme has put into the balance and taken out again
since the payout before, by rule and month; where that is another sum (a part was asked for, an earlier payout came
back), one more line carries the rest, so the lines are always the payout, to the cent.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.errors import PermanentError, Problem
from contracts.events import format_time
from contracts.money import CURRENCY_DECIMALS
from services.rewards.papers.invoice import CARRIED, Draft, Part, Settlement, draft
from services.rewards.papers.parties import Issuer, Party, Tax
from services.rewards.payouts.payee import Payee
from services.rewards.payouts.payout import Payout

INVOICED_STATES = ("sent", "settled")
"""From when the bank is told: until then a payout can still be taken back."""


class Earned(NamedTuple):
    """What a rule put into a balance in a month, between the days of its first and last transfer."""

    rule: str
    month: str
    minor: int
    first_on: str
    last_on: str


def reference_of(payout: Payout) -> str:
    """An invoice is issued once for each payout."""
    return f"payout/{payout.id}"


def return_reference_of(payout: Payout) -> str:
    """So is the credit note of one that came back."""
    return f"payout-returned/{payout.id}"


def invoice_of(payout: Payout, earned: list[Earned], *, payee: Payee | None, issuer: Issuer, language: str) -> Draft:
    """The invoice of a payout that is on its way, or there.

    Args:
        payout: Its gross amount is the invoice's.
        earned: Since the payout before, in their order.
        payee: Whose tax fields count: as they stand now.
        issuer: Of the payout's programme.
        language: Of the paper.

    Raises:
        PermanentError: `not-invoiceable`, with all that is missing.
    """
    if payee is None or payee.tax is None:
        raise PermanentError(
            Problem(
                code="not-invoiceable",
                message=f"{payout.beneficiary} cannot be invoiced: nobody wrote down its tax fields",
                where=payout.beneficiary,
                help="`goodword payouts payee set` with tax",
            )
        )
    supplier, tax = supplier_of(payee)
    parts = [Part(payout.programme, one.rule, one.month, one.minor) for one in earned if one.minor]
    carried_minor = payout.gross_minor - sum(part.gross_minor for part in parts)
    if carried_minor:
        parts.append(Part(payout.programme, CARRIED, "", carried_minor))
    prepared_on = _day(payout.prepared_at_ms)
    return draft(
        reference_of(payout),
        issuer=issuer.party,
        supplier=supplier,
        tax=tax,
        language=language,
        currency=payout.unit,
        decimals=CURRENCY_DECIMALS[payout.unit],
        parts=parts,
        supplied=(
            min((one.first_on for one in earned), default=prepared_on),
            max((one.last_on for one in earned), default=prepared_on),
        ),
        payout=payout.reference,
        settlement=Settlement(
            fee_minor=payout.partner_fee_minor,
            paid_minor=payout.pay_minor,
            currency=payout.currency,
            decimals=CURRENCY_DECIMALS[payout.currency],
            rate="" if payout.rate is None else payout.rate.text,
        ),
    )


def supplier_of(payee: Payee) -> tuple[Party, Tax]:
    """Who the payee is for the law, and how it is taxed; it has tax fields."""
    tax = payee.tax
    assert tax is not None
    party = Party(
        id=payee.beneficiary,
        name=tax.legal_name,
        address=tax.address,
        country=tax.country or payee.country,
        vat_id=tax.vat_id or "",
    )
    return party, Tax(kind=tax.scheme, rate_ppm=tax.rate_ppm, reason=tax.exempt_reason)


def _day(time_ms: int) -> str:
    return format_time(time_ms)[:10]
