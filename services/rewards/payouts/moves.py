"""Which transfers a step of a payout is. Pure: the same step gives the same transfers, with the same ids.

`partner:X:payout:STATE` holds what is in each state, so these accounts and the list of payouts prove each other. A
conversion goes through `programme:P:conversion` in both units, so each unit balances; what rounding single payouts
gives or takes beyond the exact sum goes to `programme:P:rounding`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from contracts.errors import InvariantBroken
from contracts.facts import TransferPosted
from services.rewards.legs import (
    STAGE_CONVERTED,
    STAGE_PAID,
    STAGE_PAYOUT_APPROVED,
    STAGE_PAYOUT_CANCELLED,
    STAGE_PAYOUT_FEE,
    STAGE_PAYOUT_PREPARED,
    STAGE_PAYOUT_RETURNED,
    STAGE_PAYOUT_SENT,
    STAGE_ROUNDED,
    ByHand,
    leg,
)
from services.rewards.own import own_head
from services.rewards.payouts.conversion import Rounded
from services.rewards.payouts.payable import RULE_PAYOUT
from services.rewards.payouts.payout import Payout, State, Step

_STAGES: Final[dict[Step, str]] = {
    "approve": STAGE_PAYOUT_APPROVED,
    "send": STAGE_PAYOUT_SENT,
    "settle": STAGE_PAID,
    "return": STAGE_PAYOUT_RETURNED,
    "cancel": STAGE_PAYOUT_CANCELLED,
}
_FEE: Final[dict[str, int]] = {"prepare": 0, "approve": 1, "send": 2, "settle": 3, "return": 4, "cancel": 4}
"""Parts of the fee's stage: it goes beside the payout, so that whoever is told of payouts is told once."""
_THERE: Final = 0
_BACK: Final = 1
"""Parts of the stages that a payout has once on its way there, and once on its way back."""


def place(payout: Payout, state: State) -> str:
    """The account that holds a payout in that state."""
    if state == "settled":
        return f"{payout.beneficiary}:paid"
    if state in ("prepared", "approved", "sent"):
        return f"{payout.beneficiary}:payout:{state}"
    return f"{payout.beneficiary}:available"


def accounts_of(programme: str, beneficiaries: Iterable[str]) -> set[str]:
    """All that any step of their payouts may move something between."""
    places = ("available", "payout:prepared", "payout:approved", "payout:sent", "paid")
    return {f"{beneficiary}:{name}" for beneficiary in beneficiaries for name in places} | {
        f"programme:{programme}:{name}" for name in ("cost", "payout-fees", "conversion", "rounding")
    }


class Done(NamedTuple):
    """When it happened, when it is booked, who did it and why."""

    at_ms: int
    posted_at_ms: int
    by_hand: ByHand


def prepare(payout: Payout, rounded: Rounded | None, done: Done) -> list[TransferPosted]:
    """From what is available to what is to be approved; the fee, where the partner bears it, as its own leg."""
    post = _Posting(payout, done)
    available, prepared = place(payout, "returned"), place(payout, "prepared")
    if payout.rate is None:
        post.add(STAGE_PAYOUT_PREPARED, 0, available, prepared, payout.net_minor, payout.unit)
    else:
        post.add(STAGE_CONVERTED, _THERE, available, post.conversion, payout.net_minor, payout.unit)
        post.add(STAGE_PAYOUT_PREPARED, 0, post.conversion, prepared, payout.pay_minor, payout.currency)
        post.round(_THERE, _known(rounded).rounding_minor)
    post.add(STAGE_PAYOUT_FEE, _FEE["prepare"], available, prepared, payout.partner_fee_minor, payout.unit)
    return post.made


def step(payout: Payout, kind: Step, rounded: Rounded | None, done: Done) -> list[TransferPosted]:
    """The transfers of one step of a payout that is in a state from which it is possible."""
    if kind == "settle":
        return _settle(payout, done)
    if kind in ("return", "cancel"):
        return _give_back(payout, kind, rounded, done)
    post = _Posting(payout, done)
    source, target = place(payout, payout.state), place(payout, "approved" if kind == "approve" else "sent")
    post.add(_STAGES[kind], 0, source, target, payout.pay_minor, payout.currency)
    post.add(STAGE_PAYOUT_FEE, _FEE[kind], source, target, payout.partner_fee_minor, payout.unit)
    return post.made


def _settle(payout: Payout, done: Done) -> list[TransferPosted]:
    post = _Posting(payout, done)
    source = place(payout, payout.state)
    post.add(STAGE_PAID, 0, source, place(payout, "settled"), payout.pay_minor, payout.currency)
    bearer = source if payout.fee_borne_by == "partner" else f"programme:{payout.programme}:cost"
    fees = f"programme:{payout.programme}:payout-fees"
    post.add(STAGE_PAYOUT_FEE, _FEE["settle"], bearer, fees, payout.fee_minor, payout.unit)
    return post.made


def _give_back(payout: Payout, kind: Step, rounded: Rounded | None, done: Done) -> list[TransferPosted]:
    """At the rate at which it was converted. A fee that the bank has earned stays paid."""
    post = _Posting(payout, done)
    source, available = place(payout, payout.state), place(payout, "returned")
    stage = _STAGES[kind]
    if payout.rate is None:
        post.add(stage, 0, source, available, payout.net_minor, payout.unit)
    else:
        post.add(STAGE_CONVERTED, _BACK, source, post.conversion, payout.pay_minor, payout.currency)
        post.add(stage, 0, post.conversion, available, payout.net_minor, payout.unit)
        post.round(_BACK, -_known(rounded).rounding_minor)
    if payout.state != "settled":
        post.add(STAGE_PAYOUT_FEE, _FEE[kind], source, available, payout.partner_fee_minor, payout.unit)
    return post.made


def _known(rounded: Rounded | None) -> Rounded:
    if rounded is None:
        raise InvariantBroken("a conversion is booked with its rounding")
    return rounded


class _Posting:
    """The legs of one posting, in their order; nothing where the amount is zero."""

    def __init__(self, payout: Payout, done: Done) -> None:
        head = own_head(
            RULE_PAYOUT,
            payout.reference,
            programme=payout.programme,
            beneficiary=payout.beneficiary,
            unit=payout.unit,
            at_ms=payout.prepared_at_ms,
        )
        if head.id != payout.id:
            raise InvariantBroken(f"the payout {payout.id} is not what its reference says")
        self._head = head
        self._payout = payout
        self._done = done
        self.conversion = f"programme:{payout.programme}:conversion"
        self.made: list[TransferPosted] = []

    def add(self, stage: str, part: int, debit: str, credit: str, minor: int, unit: str) -> None:
        if minor == 0:
            return
        self.made.append(
            leg(
                msgspec.structs.replace(self._head, unit=unit),
                stage,
                debit,
                credit,
                minor,
                posted_at_ms=self._done.posted_at_ms,
                part=part,
                group=self.made[0].id if self.made else None,
                by_hand=self._done.by_hand,
                # Its event is the payout's beginning, whatever happens to it later: ids sort by that.
                news_at_ms=None if self._done.at_ms == self._head.time_ms else self._done.at_ms,
            )
        )

    def round(self, part: int, minor: int) -> None:
        """What a payout has beyond the exact sum comes from the rounding account; what it lacks goes there."""
        rounding = f"programme:{self._payout.programme}:rounding"
        debit, credit = (rounding, self.conversion) if minor > 0 else (self.conversion, rounding)
        self.add(STAGE_ROUNDED, part, debit, credit, abs(minor), self._payout.currency)
