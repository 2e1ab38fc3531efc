"""Which payouts of a run a bank file has, and what of each. Pure: the same run gives the same bytes, whenever asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from contracts.errors import PermanentError, Problem
from contracts.money import CURRENCY_DECIMALS, format_minor
from services.rewards.payouts.payee import Method
from services.rewards.payouts.payout import Payout, Run


class Group(NamedTuple):
    """Payouts that a bank carries out alike."""

    method: Method
    currency: str
    payouts: Sequence[Payout]


def in_file(run: Run, payouts: Sequence[Payout]) -> list[Payout]:
    """Those that were approved and not cancelled, whatever the bank did with them later; by id.

    Raises PermanentError (`run-not-approved`): nobody's money leaves by accident.
    """
    if run.approved_at_ms is None:
        message = f"the run {run.reference} is {run.state}: nobody has approved it"
        raise PermanentError(Problem(code="run-not-approved", message=message, help="`goodword payouts approve`"))
    return sorted((p for p in payouts if p.state not in ("prepared", "cancelled")), key=_id)


def grouped(payouts: Sequence[Payout]) -> list[Group]:
    """By method and currency, in their order."""
    keys = sorted({(payout.payee.method, payout.currency) for payout in payouts})
    return [
        Group(method, currency, [p for p in payouts if (p.payee.method, p.currency) == (method, currency)])
        for method, currency in keys
    ]


def approved_at(run: Run) -> datetime:
    return datetime.fromtimestamp((run.approved_at_ms or 0) // 1_000, UTC)


def execution_day(run: Run) -> date:
    """When the bank is to pay: on the run's day, or on that of its approval if this was later."""
    return max(date.fromisoformat(run.day), approved_at(run).date())


def amount_text(payout: Payout) -> str:
    """With the decimals of ISO 4217: 1200 of JPY is `1200`, of KWD `1.200`."""
    return format_minor(payout.pay_minor, CURRENCY_DECIMALS[payout.currency])


def end_to_end_id(payout: Payout) -> str:
    """What the bank gives back with every answer: the payout's id without hyphens, for 35 characters are all it has."""
    return payout.id.replace("-", "")


def _id(payout: Payout) -> str:
    return payout.id
