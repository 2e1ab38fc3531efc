"""Status reports of payments in ISO 20022, pain.002 (any version): settled, rejected, or still on their way."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.rewards.payouts.bank.entry import Answer, Entry, minor_of, payout_named
from services.rewards.payouts.bank.xml import child, children, elements, text

_ANSWERS: Final[dict[str, Answer]] = {
    # Settled on the debtor's account, or on the creditor's; anything else but a rejection is a stop on the way.
    "ACSC": "paid",
    "ACCC": "paid",
    "RJCT": "returned",
    "CANC": "returned",
}


def read_pain002(path: Path) -> Iterator[Entry]:
    """What the report says of each payment, in its order.

    Raises:
        PermanentError: `bank-file-malformed`.
    """
    number = 0
    for part in elements(path, "OrgnlPmtInfAndSts"):
        for one in children(part, "TxInfAndSts"):
            number += 1
            yield _entry(one, f"{path.name}, payment {number}")


def _entry(one: ET.Element, where: str) -> Entry:
    amount = child(child(child(one, "OrgnlTxRef"), "Amt"), "InstdAmt")
    currency = amount.get("Ccy", "") if amount is not None else ""
    said = child(one, "StsRsnInf")
    reasons = (
        text(said, "Rsn", "Cd") or text(said, "Rsn", "Prtry"),
        *(each.text or "" for each in children(said, "AddtlInf")),
    )
    day = text(one, "AccptncDtTm") or text(one, "FctvIntrBkSttlmDt", "Dt")
    return Entry(
        payout=payout_named(text(one, "OrgnlEndToEndId"), text(one, "OrgnlInstrId")),
        answer=_ANSWERS.get(text(one, "TxSts"), "pending"),
        amount_minor=None if amount is None else abs(minor_of(amount.text or "", currency, where)),
        currency=currency,
        day=day[:10],
        reference=text(one, "AcctSvcrRef") or text(one, "StsId"),
        reason=" ".join(part for part in reasons if part),
        where=where,
    )
