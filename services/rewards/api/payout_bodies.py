"""What is asked and answered about payouts: runs, the payouts of each, whom they leave out, and the steps of both."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, Field

from contracts.money import AMOUNT_MINOR_MAX
from runtime.api.pages import Asked
from services.rewards.api.bodies import NO_NUL, Reason, Text, Unit
from services.rewards.payouts.payee import Method
from services.rewards.payouts.payout import RunState
from services.rewards.payouts.payout import State as PayoutState

Note = Annotated[str, Field(max_length=1_024, pattern=NO_NUL)]
Charge = Annotated[int | None, Field(ge=0, le=AMOUNT_MINOR_MAX, description="Minor units; null: the plan's.")]


class RunRow(BaseModel):
    """A run. `payouts` counts them by state, `gross_minor` is what they take from balances, `terms` were fixed then."""

    id: str
    reference: str
    programme: str
    currency: str
    period: str
    day: str
    state: RunState
    requested: bool
    terms: dict[str, Any]
    prepared_at: str
    prepared_by: str
    approved_at: str | None
    approved_by: str | None
    sent_at: str | None
    sent_by: str | None
    note: str
    payouts: dict[str, int]
    gross_minor: int


class RunPage(BaseModel):
    runs: list[RunRow]
    next: str | None = None


class PayoutRow(BaseModel):
    """A payout. `pay_minor` of `currency` is what the bank is told to pay; the account is masked."""

    id: str
    beneficiary: str
    programme: str
    state: PayoutState
    unit: str
    gross_minor: int
    fee_minor: int
    fee_borne_by: str
    currency: str
    pay_minor: int
    rate: str | None
    rate_source: str | None
    method: str
    name: str
    account: str
    prepared_at: str
    sent_at: str | None
    settled_at: str | None
    changed_at: str
    bank_reference: str
    reason: str


class PayoutPage(BaseModel):
    payouts: list[PayoutRow]
    next: str | None = None


class LeftOutRow(BaseModel):
    """Whom a run does not pay, and why."""

    beneficiary: str
    code: str
    message: str
    minor: int


class LeftOutPage(BaseModel):
    left_out: list[LeftOutRow]
    next: str | None = None


class NewRun(Asked):
    """Which run; the same again is the same run."""

    programme: Text
    currency: Unit
    day: Annotated[date | None, Field(description="Whose rates hold, and its name; today.")] = None
    period: Annotated[Text | None, Field(min_length=1, description="Another name, for a second run of a day.")] = None
    minimum_minor: Charge = None
    fee_minor: Charge = None
    method: Annotated[Method | None, Field(description="Only payees paid like this; null: the plan's.")] = None


class StepBody(Asked):
    note: Note = ""


class SettleBody(Asked):
    reference: Annotated[str, Field(min_length=1, max_length=1_024, pattern=NO_NUL, description="The bank's.")]


class CancelBody(Asked):
    reason: Reason
