"""The two lines of a transfer in a journal: its debit and its credit, everything beside them the same. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from services.rewards.journal.gl_chart import GlChart

AMOUNT_SCALE: Final = 6
"""Decimals of amounts in Parquet: those of the unit with the most (`contracts.money.UNIT_DECIMALS_MAX`)."""

DecimalsOf = Callable[[str], int]
"""Decimals of a unit."""


class Booked(NamedTuple):
    """A transfer as the ledger gives it; the fields of a line that both sides share, in the order of the query."""

    booked_at: datetime
    effective_at: datetime
    document: str
    transfer: str
    debit: str
    credit: str
    amount_minor: int
    unit: str
    programme: str
    partner: str
    customer: str | None
    deal: str | None
    lead: str | None
    stage: str
    rule: str
    revision: int
    decision: str
    event_source: str
    event_id: str
    takes_back: str | None
    reason: str | None
    booked_by: str | None


class Line(NamedTuple):
    """A line of the journal; its fields are the columns of the files. Amounts are above zero, `side` says which way.

    Attributes:
        booked_on, booked_at: When the ledger committed to it, in UTC.
        effective_at: When it counts: the event's time, or when a hold ended, a lot expired, a person booked it.
        document: What is booked together shares it.
        line: 1 the debit, 2 the credit.
        account: The address in the ledger.
        gl_account, gl_name: The account in the general ledger.
        amount: In units, as decimal text.
    """

    booked_on: date
    booked_at: datetime
    effective_at: datetime
    document: str
    transfer: str
    line: int
    side: Literal["debit", "credit"]
    account: str
    gl_account: str
    gl_name: str
    unit: str
    amount: Decimal
    amount_minor: int
    programme: str
    partner: str
    customer: str | None
    deal: str | None
    lead: str | None
    stage: str
    rule: str
    revision: int
    decision: str
    event_source: str
    event_id: str
    takes_back: str | None
    reason: str | None
    booked_by: str | None


def lines_of(booked: Booked, chart: GlChart, decimals_of: DecimalsOf) -> tuple[Line, Line]:
    """Debit, then credit. The chart has a line for either account (`GlChart.check`)."""
    amount = Decimal((0, _digits(booked.amount_minor), -decimals_of(booked.unit)))
    return (
        _line(booked, 1, "debit", booked.debit, amount, chart),
        _line(booked, 2, "credit", booked.credit, amount, chart),
    )


def _line(
    booked: Booked, number: int, side: Literal["debit", "credit"], account: str, amount: Decimal, chart: GlChart
) -> Line:
    found = chart.find(account, booked.unit)
    assert found is not None, account
    return Line(
        booked.booked_at.date(),
        booked.booked_at,
        booked.effective_at,
        booked.document,
        booked.transfer,
        number,
        side,
        account,
        found.gl,
        found.name,
        booked.unit,
        amount,
        booked.amount_minor,
        *booked[8:],
    )


def _digits(minor: int) -> Sequence[int]:
    # Made of digits, because arithmetic on decimals rounds to the context's 28 places.
    return tuple(map(int, str(minor)))
