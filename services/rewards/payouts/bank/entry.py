"""What a bank says of one payment, whatever kind of file it says it in. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from contracts.errors import PermanentError, Problem
from contracts.money import CURRENCY_DECIMALS

Answer = Literal["paid", "returned", "pending"]
"""`returned` is also what the bank refused to pay; `pending` is no answer yet."""

_OURS: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}(?![0-9a-z])", re.ASCII)
"""An end-to-end id of ours: the id of a payout without its hyphens."""
_AMOUNT: Final = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?", re.ASCII)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One payment in a file of the bank.

    Attributes:
        payout: The payout's id; None where the entry names none, and then it is not about payouts.
        amount_minor: Above zero; None where the file does not say, as status reports need not.
        day: Of booking, `2026-03-05`; empty where the file does not say.
        reference: The bank's own.
        reason: Of a return, the bank's code and words.
        where: In the file, for people.
    """

    payout: str | None
    answer: Answer
    amount_minor: int | None
    currency: str
    day: str
    reference: str
    reason: str
    where: str


def payout_named(*texts: str) -> str | None:
    """The payout that one of the texts names, by its end-to-end id: alone, or in the middle of other words."""
    for text in texts:
        found = _OURS.search(text.lower())
        if found is not None:
            digits = found[0]
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return None


def minor_of(text: str, currency: str, where: str) -> int:
    """A decimal number with a point as minor units, its sign kept.

    Raises:
        PermanentError: `bank-file-malformed`: no number, no currency, or more decimals than the currency has.
    """
    found = _AMOUNT.fullmatch(text.strip())
    places = CURRENCY_DECIMALS.get(currency)
    if found is None or places is None:
        raise malformed(f"{text!r} {currency!r} is no amount of a currency", where)
    part = (found[3] or "").rstrip("0")
    if len(part) > places:
        raise malformed(f"{text} has more decimals than {currency}", where)
    minor = int(found[2] + part.ljust(places, "0"))
    return -minor if found[1] == "-" else minor


def malformed(message: str, where: str) -> PermanentError:
    return PermanentError(Problem(code="bank-file-malformed", message=message, where=where))
