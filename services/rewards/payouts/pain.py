"""A run as ISO 20022 `pain.001` (customer credit transfer initiation), version 09 or 03. Pure.

One `PmtInf` for each method and currency, with its own count and sum; SEPA ones keep to the implementation guidelines
of the European Payments Council (EPC132-08): service level SEPA, shared charges as SLEV, the Latin character set.
Payouts by hand are in no such file.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from contracts.errors import PermanentError, Problem
from services.rewards.payouts.bank_file import (
    Group,
    amount_text,
    approved_at,
    end_to_end_id,
    execution_day,
    grouped,
    in_file,
)
from services.rewards.payouts.latin import bank_text
from services.rewards.payouts.payout import Payout, Run
from services.rewards.payouts.plan import Payer

Version = Literal["09", "03"]
NAME_LENGTH_MAX: Final = 70
"""Of a party in a SEPA transfer; `Max140Text` elsewhere, which no bank prints in full."""
TEXT_LENGTH_MAX: Final = 140
_UNKNOWN: Final = "NOTPROVIDED"


def pain_001(run: Run, payouts: Sequence[Payout], *, version: Version = "09") -> bytes:
    """The file, in UTF-8.

    Raises:
        PermanentError: `run-not-approved`; `payer-missing`: the run's terms do not say who pays; `nothing-to-send`:
            there is no payout that a bank carries out.
    """
    told = [payout for payout in in_file(run, payouts) if payout.payee.method != "manual"]
    if run.terms.payer is None:
        message = f"the terms of the run {run.reference} do not say from which account it is paid"
        help = "`goodword payouts plan set … --payer-name … --payer-iban …` for the next one; this one as CSV"
        raise PermanentError(Problem(code="payer-missing", message=message, help=help))
    if not told:
        message = f"the run {run.reference} has nothing for a bank"
        raise PermanentError(
            Problem(code="nothing-to-send", message=message, help="payouts by hand are in the CSV file")
        )
    document = Element("Document", xmlns=f"urn:iso:std:iso:20022:tech:xsd:pain.001.001.{version}")
    initiation = SubElement(document, "CstmrCdtTrfInitn")
    header = SubElement(initiation, "GrpHdr")
    _text(header, "MsgId", run.id.replace("-", ""))
    _text(header, "CreDtTm", f"{approved_at(run):%Y-%m-%dT%H:%M:%SZ}")
    _text(header, "NbOfTxs", str(len(told)))
    _text(header, "CtrlSum", _sum(told))
    _text(SubElement(header, "InitgPty"), "Nm", bank_text(run.terms.payer.name, NAME_LENGTH_MAX))
    for number, group in enumerate(grouped(told), 1):
        _group(initiation, run, run.terms.payer, group, number, version)
    indent(document)
    made: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _group(initiation: Element, run: Run, payer: Payer, group: Group, number: int, version: Version) -> None:
    is_sepa = group.method == "sepa"
    info = SubElement(initiation, "PmtInf")
    _text(info, "PmtInfId", f"{run.id.replace('-', '')[-24:]}-{number}")
    _text(info, "PmtMtd", "TRF")
    _text(info, "NbOfTxs", str(len(group.payouts)))
    _text(info, "CtrlSum", _sum(group.payouts))
    if is_sepa:
        _text(SubElement(SubElement(info, "PmtTpInf"), "SvcLvl"), "Cd", "SEPA")
    day = execution_day(run).isoformat()
    if version == "03":
        _text(info, "ReqdExctnDt", day)
    else:
        _text(SubElement(info, "ReqdExctnDt"), "Dt", day)
    _text(SubElement(info, "Dbtr"), "Nm", bank_text(payer.name, NAME_LENGTH_MAX))
    _account(info, "DbtrAcct", payer.iban, None)
    _agent(info, "DbtrAgt", payer.bic, version, is_needed=True)
    # Each bears the costs of their own bank; SLEV says so by the rules of the scheme.
    _text(info, "ChrgBr", "SLEV" if is_sepa else "SHAR")
    for payout in group.payouts:
        _transfer(info, run, payout, version)


def _transfer(info: Element, run: Run, payout: Payout, version: Version) -> None:
    payee = payout.payee
    transfer = SubElement(info, "CdtTrfTxInf")
    ids = SubElement(transfer, "PmtId")
    _text(ids, "InstrId", end_to_end_id(payout))
    _text(ids, "EndToEndId", end_to_end_id(payout))
    amount = SubElement(SubElement(transfer, "Amt"), "InstdAmt", Ccy=payout.currency)
    amount.text = amount_text(payout)
    _agent(transfer, "CdtrAgt", payee.bic, version, is_needed=False)
    creditor = SubElement(transfer, "Cdtr")
    _text(creditor, "Nm", bank_text(payee.name, NAME_LENGTH_MAX))
    if payee.method != "sepa":
        _text(SubElement(creditor, "PstlAdr"), "Ctry", payee.country)
    _account(transfer, "CdtrAcct", payee.iban, payee.account)
    _text(SubElement(transfer, "RmtInf"), "Ustrd", bank_text(run.reference, TEXT_LENGTH_MAX))


def _account(parent: Element, name: str, iban: str | None, number: str | None) -> None:
    id = SubElement(SubElement(parent, name), "Id")
    if iban is not None:
        _text(id, "IBAN", iban)
    else:
        _text(SubElement(id, "Othr"), "Id", bank_text(number or _UNKNOWN, 34))


def _agent(parent: Element, name: str, bic: str | None, version: Version, *, is_needed: bool) -> None:
    """A bank; since 2014 an IBAN alone is enough within SEPA, and a payer's bank that is not named is said to be so."""
    if bic is None and not is_needed:
        return
    institution = SubElement(SubElement(parent, name), "FinInstnId")
    if bic is not None:
        _text(institution, "BIC" if version == "03" else "BICFI", bic)
    else:
        _text(SubElement(institution, "Othr"), "Id", _UNKNOWN)


def _sum(payouts: Sequence[Payout]) -> str:
    """Of all amounts, whatever their currencies: a check on what was typed, by the schema's definition."""
    return f"{sum((Decimal(amount_text(payout)) for payout in payouts), Decimal()):f}"


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
