"""A payout, its run, and the states that both go through. Pure.

prepared → approved → sent → settled; `returned` is possible from sent and from settled, for banks do return what they
have confirmed; `cancelled` until it is sent. Every step is a transfer, or several (`moves.py`), under ids derived from
the payout's: so nothing is done twice.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from contracts.ids import derived_uuid
from services.rewards.payouts.conversion import AppliedRate
from services.rewards.payouts.payee import Payee
from services.rewards.payouts.plan import Terms

State = Literal["prepared", "approved", "sent", "settled", "returned", "cancelled"]
RunState = Literal["preparing", "prepared", "approved", "sent", "finished", "cancelled"]
"""`finished`: the bank has answered about every payout, or there was none."""
Step = Literal["approve", "send", "settle", "return", "cancel"]

STATES: Final[tuple[State, ...]] = ("prepared", "approved", "sent", "settled", "returned", "cancelled")
OPEN_STATES: Final[tuple[State, ...]] = ("prepared", "approved", "sent")
STEPS: Final[dict[Step, tuple[tuple[State, ...], State]]] = {
    "approve": (("prepared",), "approved"),
    "send": (("approved",), "sent"),
    "settle": (("sent",), "settled"),
    "return": (("sent", "settled"), "returned"),
    "cancel": (("prepared", "approved"), "cancelled"),
}
"""Each step: from which states, and to which."""


class Run(msgspec.Struct, kw_only=True):
    """A row of `rewards.payout_runs`.

    Attributes:
        reference: For people: `crm-sales/EUR/2026-03-05`.
        period: What tells it from other runs of the programme and currency: its day, or whatever it is called.
        day: Whose rates hold, and on which the bank is to pay.
        next_account: Where preparing it goes on.
        approved_by: Of the newest approval.
    """

    id: str
    reference: str
    programme: str
    unit: str
    period: str
    state: RunState
    terms: Terms
    day: str
    prepared_at_ms: int
    prepared_by: str
    is_requested: bool = False
    next_account: int = 0
    approved_by: str | None = None
    approved_at_ms: int | None = None
    sent_by: str | None = None
    sent_at_ms: int | None = None
    note: str = ""


class Payout(msgspec.Struct, kw_only=True):
    """A row of `rewards.payouts`.

    Attributes:
        id: Also that of the head of its transfers: `goodword ledger explain` takes it.
        unit: Of the balance that it comes from, and of the fee.
        gross_minor: What it takes from that balance.
        fee_minor: What the bank costs, whoever bears it.
        currency, pay_minor: What the bank is told to pay.
        rate: None when nothing is converted.
        payee: As it stood when the run was prepared; what is approved is what is paid.
        bank_reference, reason: What the bank said, or who cancelled it.
    """

    id: str
    run: str
    beneficiary: str
    programme: str
    unit: str
    gross_minor: int
    fee_minor: int
    fee_borne_by: str
    currency: str
    pay_minor: int
    state: State
    payee: Payee
    prepared_at_ms: int
    rate: AppliedRate | None = None
    reference: str = ""
    sent_at_ms: int | None = None
    settled_at_ms: int | None = None
    changed_at_ms: int = 0
    bank_reference: str = ""
    reason: str = ""

    @property
    def partner_fee_minor(self) -> int:
        """What of the fee comes out of the balance."""
        return self.fee_minor if self.fee_borne_by == "partner" else 0

    @property
    def net_minor(self) -> int:
        """What is left of the gross amount to be paid, or to be converted and paid."""
        return self.gross_minor - self.partner_fee_minor


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a run did not pay, and why."""

    beneficiary: str
    code: str
    message: str
    minor: int


def run_id(programme: str, unit: str, period: str) -> str:
    """The same run has the same id, whoever prepares it and when. No time in it: the day may be anybody's."""
    return derived_uuid(0, msgspec.json.encode(["payout-run", programme, unit, period]))


def run_reference(programme: str, unit: str, period: str) -> str:
    return f"{programme}/{unit}/{period}"
