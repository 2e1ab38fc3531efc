"""A self-billing invoice, or the credit note that corrects one, as data: what it says, to the cent, for ever.

Pure. Amounts of the ledger include the tax: what a partner is owed is what it is paid. So the net amount is the gross
one divided by one plus the rate, rounded half to even once, on the total; lines share it by their running totals, so
each is within one minor unit of its own rounding, and together they are the total exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from contracts.errors import InvariantBroken, PermanentError, Problem
from contracts.money import AMOUNT_MINOR_MAX, PPM, round_half_even
from services.rewards.papers.parties import Party, Tax, party_faults, tax_faults

FORMAT: Final = 1
"""Of the stored data; a reader of format 1 stays when there is a 2."""
NUMBER_DIGITS: Final = 6
CARRIED: Final = "~carried"
"""In place of a rule (no rule's name begins with `~`): what is carried over between payouts."""
Kind = Literal["invoice", "credit-note"]


class Part(NamedTuple):
    """What one line is about, with its share of what is paid; below zero for what was taken back."""

    programme: str
    rule: str
    month: str
    gross_minor: int


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line. `rule` is empty for what no single rule stands behind; `month` is like `2026-11`, or empty."""

    programme: str
    rule: str
    month: str
    net_minor: int
    gross_minor: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Of a credit note: the invoice it corrects (Article 219), and why."""

    number: str
    issued_on: str
    reason: str


class Settlement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How it is paid: what of the gross amount is withheld as a fee, and what arrives.

    Attributes:
        fee_minor: In the invoice's currency.
        paid_minor, currency, decimals: What the bank is told to pay, maybe in another currency.
        rate: `EUR/USD 1.0842 of 2026-03-01`; empty when nothing was converted.
    """

    fee_minor: int
    paid_minor: int
    currency: str
    decimals: int
    rate: str = ""


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that an invoice says but its number and day.

    Attributes:
        reference: What it is about (`payout/…`): it is issued once for each.
        supplied_from, supplied_to: The days of supply, both included (Article 226(7)).
        payout: The payout it belongs to, by its reference; may be empty.
    """

    kind: Kind
    reference: str
    issuer: Party
    supplier: Party
    tax: Tax
    language: str
    currency: str
    decimals: int
    lines: tuple[Line, ...]
    net_minor: int
    tax_minor: int
    gross_minor: int
    supplied_from: str
    supplied_to: str
    payout: str = ""
    settlement: Settlement | None = None
    corrects: Correction | None = None


class Invoice(Draft, frozen=True, kw_only=True, omit_defaults=True):
    """An issued one. `number` is `prefix-year-no`, `no` counts from 1 without gaps in each year of an issuer."""

    format: int
    number: str
    year: int
    no: int
    issued_on: str


def draft(
    reference: str,
    *,
    issuer: Party,
    supplier: Party,
    tax: Tax,
    language: str,
    currency: str,
    decimals: int,
    parts: Sequence[Part],
    supplied: tuple[str, str],
    payout: str = "",
    settlement: Settlement | None = None,
) -> Draft:
    """An invoice of what was paid.

    Raises:
        PermanentError: `not-invoiceable`, naming every field that is missing; `nothing-to-invoice`.
    """
    check(supplier, issuer, tax)
    lines = shared_out(parts, tax)
    gross_minor = sum(line.gross_minor for line in lines)
    net_minor = sum(line.net_minor for line in lines)
    if not 0 < gross_minor <= AMOUNT_MINOR_MAX:
        message = f"an invoice is of more than nothing, not of {gross_minor} minor units of {currency}"
        raise PermanentError(Problem(code="nothing-to-invoice", message=message, where=reference))
    return Draft(
        kind="invoice",
        reference=reference,
        issuer=issuer,
        supplier=supplier,
        tax=tax,
        language=language,
        currency=currency,
        decimals=decimals,
        lines=lines,
        net_minor=net_minor,
        tax_minor=gross_minor - net_minor,
        gross_minor=gross_minor,
        supplied_from=supplied[0],
        supplied_to=supplied[1],
        payout=payout,
        settlement=settlement,
    )


def credit(invoice: Invoice, *, credited_minor: int, gross_minor: int | None, reference: str, reason: str) -> Draft:
    """A credit note of an invoice, or of a part of it, with the parties and the tax of the invoice.

    Args:
        invoice: What it corrects.
        credited_minor: What earlier credit notes of it took, gross.
        gross_minor: How much of it; None for what is left.
        reference: What it is about; it is issued once for each.
        reason: Told to the partner.

    Raises:
        PermanentError: `not-creditable`: it is none, or less is left of it.
    """
    left_minor = invoice.gross_minor - credited_minor
    amount_minor = left_minor if gross_minor is None else gross_minor
    if invoice.kind != "invoice" or not 0 < amount_minor <= left_minor:
        message = f"{invoice.number} is {invoice.kind}; {left_minor} minor units of {invoice.currency} are left of it"
        raise PermanentError(Problem(code="not-creditable", message=message, where=invoice.number))
    lines = invoice.lines
    if amount_minor != invoice.gross_minor:
        # By difference, so that the net amounts of all its credit notes sum to the invoice's.
        lines = shared_out(
            [Part(lines[0].programme, "", "", part) for part in (credited_minor, amount_minor)], invoice.tax
        )[1:]
    net_minor = sum(line.net_minor for line in lines)
    return Draft(
        kind="credit-note",
        reference=reference,
        issuer=invoice.issuer,
        supplier=invoice.supplier,
        tax=invoice.tax,
        language=invoice.language,
        currency=invoice.currency,
        decimals=invoice.decimals,
        lines=lines,
        net_minor=net_minor,
        tax_minor=amount_minor - net_minor,
        gross_minor=amount_minor,
        supplied_from=invoice.supplied_from,
        supplied_to=invoice.supplied_to,
        payout=invoice.payout,
        corrects=Correction(number=invoice.number, issued_on=invoice.issued_on, reason=reason),
    )


def correction_reference(number: str, told_apart_by: str) -> str:
    """Of a credit note that somebody asks for by hand; no payout's invoice can have it."""
    return f"correction/{number}/{told_apart_by}"


def numbered(draft: Draft, *, prefix: str, year: int, no: int, issued_on: str) -> Invoice:
    """The draft, issued under that number."""
    fields = {name: getattr(draft, name) for name in draft.__struct_fields__}
    number = f"{prefix}-{year}-{no:0{NUMBER_DIGITS}d}"
    return Invoice(**fields, format=FORMAT, number=number, year=year, no=no, issued_on=issued_on)


def shared_out(parts: Sequence[Part], tax: Tax) -> tuple[Line, ...]:
    """A line for each part; their net amounts sum to the net amount of the total."""
    lines = []
    gross_minor = net_minor = 0
    for part in parts:
        gross_minor += part.gross_minor
        own_net_minor = net_of(gross_minor, tax) - net_minor
        net_minor += own_net_minor
        line = Line(
            programme=part.programme,
            rule=part.rule,
            month=part.month,
            net_minor=own_net_minor,
            gross_minor=part.gross_minor,
        )
        lines.append(line)
    return tuple(lines)


def net_of(gross_minor: int, tax: Tax) -> int:
    """The net amount in a gross one, rounded half to even."""
    return round_half_even(gross_minor * PPM, PPM + tax.rate_ppm)


def check(supplier: Party, customer: Party, tax: Tax) -> None:
    """Raises PermanentError (`not-invoiceable`) with all that is missing."""
    faults = [*party_faults(supplier), *tax_faults(tax, supplier, customer)]
    if faults:
        problem = Problem(
            code="not-invoiceable",
            message=f"{supplier.id} cannot be invoiced: " + "; ".join(f"{f.where}: {f.message}" for f in faults),
            where=supplier.id,
            help="complete the payee's tax fields",
        )
        raise PermanentError(problem)


def encode(invoice: Invoice) -> bytes:
    """What is stored and hashed: fields by name, so that no order of declaration matters. Frozen as format 1."""
    return msgspec.json.encode(invoice, order="sorted")


def decode(data: bytes) -> Invoice:
    """Raises InvariantBroken when it is none that this version reads."""
    try:
        invoice = msgspec.json.decode(data, type=Invoice)
    except msgspec.DecodeError as error:
        raise InvariantBroken(f"a stored invoice cannot be read: {error}") from error
    if invoice.format != FORMAT:
        raise InvariantBroken(f"the invoice {invoice.number} has format {invoice.format}; this version reads {FORMAT}")
    return invoice


def digest(data: bytes) -> str:
    """SHA-256 of `encode`, in hexadecimals."""
    return hashlib.sha256(data).hexdigest()
