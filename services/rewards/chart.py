"""The chart of accounts: which addresses there are, and what is wrong with one that is not among them.

Pure. An address is a path of segments joined by colons; ids never hold a colon (contracts/ids.py), so an
address can be read in one way only. A balance belongs to (address, unit) and is credits minus debits: what a
partner has earned is positive, what a programme has cost is negative.
"""

from __future__ import annotations

from typing import Final

from contracts.errors import PermanentError, Problem
from contracts.ids import is_id

BENEFICIARIES: Final = ("partner", "member", "customer")
"""Whom a decision can pay."""

_BENEFICIARY_ACCOUNTS: Final = ("pending", "available", "reserved", "payout", "paid")
_PAYOUT_STATES: Final = ("prepared", "approved", "sent")
"""Of what is on its way to a beneficiary: `partner:…:payout:sent`."""
_BUDGET_ACCOUNTS: Final = ("budget", "allotted", "spent")
"""Of each period of a budget: what is left, minus what was put in, and what was claimed."""
_CONVERSION_ACCOUNTS: Final = ("conversion", "rounding")
"""What currencies are changed through, and what rounding each payout by itself gave and took."""
_PROGRAMME_ACCOUNTS: Final = (
    *("cost", "written-off", "redeemed", "payout-fees", "membership-fees", "paid-outside"),
    *_CONVERSION_ACCOUNTS,
    *_BUDGET_ACCOUNTS,
)


def cost_account(programme: str) -> str:
    """Where what a programme gives comes from. Raises PermanentError (`account-outside-chart`)."""
    return checked(f"programme:{programme}:cost")


def available_account(beneficiary: str) -> str:
    """What a beneficiary (`partner:moses-frase`) can be paid now. Raises PermanentError (`account-outside-chart`)."""
    return checked(f"{beneficiary}:available")


def checked(address: str) -> str:
    """The address itself, if it is in the chart.

    Raises:
        PermanentError: `account-outside-chart`, naming the bad segment and its place, counted from 1.
    """
    problem = fault(address)
    if problem is not None:
        raise PermanentError(problem)
    return address


def fault(address: str) -> Problem | None:
    """What is wrong with an address, or None when it is in the chart."""
    segments = address.split(":")
    kind = segments[0]
    if kind != "programme" and kind not in BENEFICIARIES:
        return _problem(address, 1, kind, f"an account begins with programme, {', '.join(BENEFICIARIES)}")
    if len(segments) < 2 or not is_id(segments[1]):
        return _problem(address, 2, _segment(segments, 1), "an id is 1–128 of A–Z a–z 0–9 . _ ~ / @ + -")
    accounts = _PROGRAMME_ACCOUNTS if kind == "programme" else _BENEFICIARY_ACCOUNTS
    if len(segments) < 3 or segments[2] not in accounts:
        return _problem(address, 3, _segment(segments, 2), f"a {kind} has the accounts {', '.join(accounts)}")
    if kind == "programme" and segments[2] in _BUDGET_ACCOUNTS:
        if len(segments) < 4 or not is_id(segments[3]):
            return _problem(address, 4, _segment(segments, 3), "a budget has an id: programme:…:budget:yearly")
        if len(segments) > 4 and not is_id(segments[4]):
            return _problem(address, 5, segments[4], "a budget's period is one like 2026, 2026-Q1 or 2026-03")
        return _problem(address, 6, segments[5], "nothing follows a budget's period") if len(segments) > 5 else None
    if kind != "programme" and segments[2] == "payout":
        if len(segments) < 4 or segments[3] not in _PAYOUT_STATES:
            return _problem(address, 4, _segment(segments, 3), f"a payout is {', '.join(_PAYOUT_STATES)}")
        return _problem(address, 5, segments[4], "nothing follows a payout's state") if len(segments) > 4 else None
    return _problem(address, 4, segments[3], f"nothing follows {segments[2]}") if len(segments) > 3 else None


def _segment(segments: list[str], index: int) -> str:
    return segments[index] if index < len(segments) else ""


def _problem(address: str, place: int, segment: str, help: str) -> Problem:
    shown = f'"{segment}"' if segment else "missing"
    return Problem(
        code="account-outside-chart",
        message=f"there is no account {address}: segment {place} is {shown}",
        where=address,
        help=help,
    )
