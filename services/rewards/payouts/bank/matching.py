"""What the bank did, against what it was told to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from services.rewards.payouts.bank.entry import Entry
from services.rewards.payouts.payout import Payout

Verdict = Literal[
    "settled", "returned", "agreed", "pending", "missing", "unknown", "other_amount", "repeated", "unexpected"
]
VERDICTS: Final[tuple[Verdict, ...]] = (
    *("settled", "returned", "agreed", "pending"),
    *("missing", "unknown", "other_amount", "repeated", "unexpected"),
)
FAULTS: Final[tuple[Verdict, ...]] = ("missing", "unknown", "other_amount", "repeated", "unexpected")


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One payout, and what the bank says of it.

    Attributes:
        verdict: `settled` and `returned`: so says the bank, and it can be booked; `agreed`: booked already; `pending`:
            no answer yet; `missing`: sent, and not in the file; `unknown`: an id like ours that is no payout's;
            `other_amount`: paid or returned otherwise than ordered; `repeated`: said twice; `unexpected`: the bank did
            what our books rule out (it paid what was cancelled, say).
        entry: None of what is missing.
    """

    verdict: Verdict
    payout: str
    beneficiary: str
    state: str
    ordered_minor: int | None
    currency: str
    entry: Entry | None
    why: str = ""


def match(entries: Iterable[Entry], payouts: Mapping[str, Payout], waiting: Iterable[Payout]) -> list[Match]:
    """Match by id; in the order of the entries, then what is missing.

    Args:
        entries: About payouts. A return that follows its payment in the same file counts, and the payment agrees.
        payouts: All that the entries name, where there are such.
        waiting: Those that were sent, and that the bank should say something of.
    """
    told: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.payout is not None:
            told.setdefault(entry.payout, []).append(entry)
    found: list[Match] = []
    for id, of_one in told.items():
        payout = payouts.get(id)
        if payout is None:
            found += [
                Match(
                    verdict="unknown",
                    payout=id,
                    beneficiary="",
                    state="",
                    ordered_minor=None,
                    currency=entry.currency,
                    entry=entry,
                    why="there is no such payout",
                )
                for entry in of_one
            ]
        else:
            found += _of_one(payout, of_one)
    found += [
        _match("missing", payout, None, "it was sent, and the file says nothing of it")
        for payout in waiting
        if payout.id not in told
    ]
    return found


def _of_one(payout: Payout, entries: list[Entry]) -> list[Match]:
    found: list[Match] = []
    is_returned = any(entry.answer == "returned" for entry in entries)
    seen: set[str] = set()
    for entry in entries:
        if entry.answer == "pending":
            found.append(_match("pending", payout, entry, ""))
            continue
        wrong = _other_amount(payout, entry)
        if wrong:
            found.append(_match("other_amount", payout, entry, wrong))
        elif entry.answer in seen:
            found.append(_match("repeated", payout, entry, f"the file says {entry.answer} twice"))
        elif entry.answer == "paid":
            found.append(_paid(payout, entry, is_returned=is_returned))
        else:
            found.append(_returned(payout, entry))
        seen.add(entry.answer)
    return found


def _other_amount(payout: Payout, entry: Entry) -> str:
    if entry.amount_minor is None or (entry.amount_minor, entry.currency) == (payout.pay_minor, payout.currency):
        return ""
    ordered = f"{payout.pay_minor} minor units of {payout.currency} were ordered"
    return f"{ordered}, not {entry.amount_minor} of {entry.currency}"


def _paid(payout: Payout, entry: Entry, *, is_returned: bool) -> Match:
    if payout.state == "sent":
        # What came back in the same file was paid before; only the return is booked.
        return _match("agreed" if is_returned else "settled", payout, entry, "")
    if payout.state == "settled" or (payout.state == "returned" and is_returned):
        return _match("agreed", payout, entry, "")
    return _match("unexpected", payout, entry, f"the bank paid what is {payout.state}")


def _returned(payout: Payout, entry: Entry) -> Match:
    if payout.state in ("sent", "settled"):
        return _match("returned", payout, entry, entry.reason)
    if payout.state == "returned":
        return _match("agreed", payout, entry, "")
    return _match("unexpected", payout, entry, f"the bank returned what is {payout.state}")


def _match(verdict: Verdict, payout: Payout, entry: Entry | None, why: str) -> Match:
    return Match(
        verdict=verdict,
        payout=payout.id,
        beneficiary=payout.beneficiary,
        state=payout.state,
        ordered_minor=payout.pay_minor,
        currency=payout.currency,
        entry=entry,
        why=why,
    )
