"""Payouts as they should go: prepared, approved, sent, settled; returned or cancelled on the way. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.property.ledger_machine.books import Books

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
    fee: int
    state: str = "prepared"
    id: str = ""


@dataclass
class RunModel:
    """A run and what it pays; `asked_by` whom, where it was a partner who asked for it."""

    name: str
    asked_by: str = ""
    payouts: list[Paid] = field(default_factory=list)
    state: str = "prepared"


class PayoutsModel:
    """Runs of one programme, beside its balances."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.runs: dict[str, RunModel] = {}

    def prepare(self, name: str, beneficiaries: Iterable[str]) -> RunModel:
        """All who have something to be paid; a run that is there stays as it is."""
        if name not in self.runs:
            run = self.runs[name] = RunModel(name)
            for one in beneficiaries:
                gross = self.books.available(one)
                if gross >= MINIMUM:
                    self.take(run, one, gross, FEE)
            run.state = "prepared" if run.payouts else "finished"
        return self.runs[name]

    def request(self, whose: str, minor: int | None) -> set[str]:
        """Why a partner cannot be paid what they ask for: all that is available, unless told."""
        has = self.books.available(whose)
        if any(run.asked_by == whose and run.state not in {"finished", "cancelled"} for run in self.runs.values()):
            return {"payout-open"}
        if has <= 0:
            return {"payout-nothing-owed", "payout-owes"}
        return {"payout-not-available"} if minor is not None and minor > has else set()

    def requested(self, name: str, whose: str, minor: int | None) -> RunModel:
        """Without a plan there is neither a minimum nor a fee."""
        run = self.runs[name] = RunModel(name, asked_by=whose)
        self.take(run, whose, self.books.available(whose) if minor is None else minor, 0)
        return run

    def take(self, run: RunModel, whose: str, gross: int, fee: int) -> None:
        run.payouts.append(Paid(whose, gross, fee))
        self.books.move(f"{whose}:available", f"{whose}:payout:prepared", gross)

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
        whose, net = payout.beneficiary, payout.gross - payout.fee
        source = f"{whose}:payout:{payout.state}"
        if step == "settle":
            self.books.move(source, f"{whose}:paid", net)
            self.books.move(source, "payout-fees", payout.fee)
        elif payout.state == "settled":
            self.books.move(f"{whose}:paid", f"{whose}:available", net)
        elif step in {"return", "cancel"}:
            self.books.move(source, f"{whose}:available", payout.gross)
        else:
            self.books.move(source, f"{whose}:payout:{TO[step]}", payout.gross)
        payout.state = TO[step]

    def finish(self, run: RunModel) -> None:
        """Over when the bank has answered about all of it, or nothing of it is left."""
        if run.state != "cancelled" and all(p.state in {"settled", "returned", "cancelled"} for p in run.payouts):
            run.state = "finished" if any(p.state != "cancelled" for p in run.payouts) else "cancelled"
