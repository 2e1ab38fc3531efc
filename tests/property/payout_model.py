"""Payouts as they should go: prepared, approved, sent, settled; returned or cancelled on the way. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.property.ledger_model import Model

MINIMUM = 20
FEE = 3
"""Borne by the partner; what the bank has earned stays paid."""
FROM = {
    "approve": ("prepared",),
    "send": ("approved",),
    "settle": ("sent",),
    "return": ("sent", "settled"),
    "cancel": ("prepared", "approved"),
}
TO = {"approve": "approved", "send": "sent", "settle": "settled", "return": "returned", "cancel": "cancelled"}
RUN_FROM = {"approve": "prepared", "send": "approved", "settle": "sent", "cancel": "prepared approved"}


@dataclass
class Paid:
    """One payout."""

    beneficiary: str
    gross: int
    state: str = "prepared"
    id: str = ""


@dataclass
class RunModel:
    """A run and what it pays."""

    payouts: list[Paid] = field(default_factory=list)
    state: str = "prepared"


class PayoutModel:
    """Runs of one programme, beside its balances."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.runs: dict[str, RunModel] = {}

    def prepare(self, period: str, beneficiaries: Iterable[str]) -> RunModel:
        """All who have something to be paid; a run that is there stays as it is."""
        if period not in self.runs:
            run = self.runs[period] = RunModel()
            for one in beneficiaries:
                gross = self.model.balances[f"{one}:available"]
                if gross >= MINIMUM:
                    run.payouts.append(Paid(one, gross))
                    self.model.move(f"{one}:available", f"{one}:payout:prepared", gross)
            run.state = "prepared" if run.payouts else "finished"
        return self.runs[period]

    def step_run(self, run: RunModel, step: str) -> bool:
        """Every payout that can take it takes the step; False where the run cannot."""
        target = {"settle": "finished"}.get(step, TO[step])
        if run.state == target:
            return True
        if run.state not in RUN_FROM[step].split():
            return False
        for payout in run.payouts:
            if payout.state in FROM[step]:
                self.move(payout, step)
        run.state = target
        self.finish(run)
        return True

    def step_one(self, run: RunModel, payout: Paid, step: str) -> bool:
        if payout.state == TO[step]:
            return True
        if payout.state not in FROM[step]:
            return False
        self.move(payout, step)
        self.finish(run)
        return True

    def move(self, payout: Paid, step: str) -> None:
        whose, net = payout.beneficiary, payout.gross - FEE
        source = f"{whose}:payout:{payout.state}"
        if step == "settle":
            self.model.move(source, f"{whose}:paid", net)
            self.model.move(source, "payout-fees", FEE)
        elif payout.state == "settled":
            self.model.move(f"{whose}:paid", f"{whose}:available", net)
        elif step in {"return", "cancel"}:
            self.model.move(source, f"{whose}:available", payout.gross)
        else:
            self.model.move(source, f"{whose}:payout:{TO[step]}", payout.gross)
        payout.state = TO[step]

    def finish(self, run: RunModel) -> None:
        """Over when the bank has answered about all of it, or nothing of it is left."""
        if run.state != "cancelled" and all(p.state in {"settled", "returned", "cancelled"} for p in run.payouts):
            run.state = "finished" if any(p.state != "cancelled" for p in run.payouts) else "cancelled"
