"""Statements of account in ISO 20022, camt.053 (any version): every booked payment that went out, or came back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from services.rewards.payouts.bank.entry import Entry, minor_of, payout_named
from services.rewards.payouts.bank.xml import child, children, elements, text


def read_camt053(path: Path) -> Iterator[Entry]:
    """The payments of a statement, in its order; a batch that is booked as one is told payment by payment.

    Raises:
        PermanentError: `bank-file-malformed`.
    """
    for number, booked in enumerate(elements(path, "Ntry"), 1):
        where = f"{path.name}, entry {number}"
        status = text(booked, "Sts") or text(booked, "Sts", "Cd")
        if status not in {"", "BOOK"} and text(booked, "Sts", "Cd") != "BOOK":
            continue
        details = [one for each in children(booked, "NtryDtls") for one in children(each, "TxDtls")]
        if not details:
            yield _entry(booked, booked, where)
        for part, one in enumerate(details, 1):
            yield _entry(
                booked, one, where if len(details) == 1 else f"{where}, payment {part}", alone=len(details) == 1
            )


def _entry(booked: ET.Element, one: ET.Element, where: str, *, alone: bool = True) -> Entry:
    amount = child(one, "Amt")
    if amount is None:
        amount = child(child(child(one, "AmtDtls"), "TxAmt"), "Amt")
    if amount is None and alone:
        amount = child(booked, "Amt")
    currency = amount.get("Ccy", "") if amount is not None else ""
    direction = text(one, "CdtDbtInd") or text(booked, "CdtDbtInd")
    returned = child(one, "RtrInf")
    # Money that came back: a return says so, a reversal of our debit is one, and our payouts never come in otherwise.
    is_back = returned is not None or direction == "CRDT" or text(booked, "RvslInd") == "true"
    refs = child(one, "Refs")
    free = [text(one, "RmtInf", "Ustrd"), text(booked, "AddtlNtryInf")]
    reason = " ".join(
        part
        for part in (
            text(returned, "Rsn", "Cd") or text(returned, "Rsn", "Prtry"),
            *(said.text or "" for said in children(returned, "AddtlInf")),
        )
        if part
    )
    return Entry(
        payout=payout_named(text(refs, "EndToEndId"), text(refs, "InstrId"), *free),
        answer="returned" if is_back else "paid",
        amount_minor=None if amount is None else abs(minor_of(amount.text or "", currency, where)),
        currency=currency,
        day=(text(booked, "BookgDt", "Dt") or text(booked, "BookgDt", "DtTm"))[:10],
        reference=text(refs, "AcctSvcrRef") or text(booked, "AcctSvcrRef") or text(booked, "NtryRef"),
        reason=reason,
        where=where,
    )
