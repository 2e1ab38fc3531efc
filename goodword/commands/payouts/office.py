"""What every `goodword payouts …` shares: the ledger's store, who acts, and how faults and runs are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from goodword.terminal import EXIT_NO, emit_json, out, problems_shown, show_problem

if TYPE_CHECKING:
    from runtime.clock import Clock
    from runtime.database import Database
    from services.rewards.payouts.desk import PayoutDesk
    from services.rewards.payouts.payout import Run
    from services.rewards.payouts.preparing import Preparer

T = TypeVar("T")
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Like crm-sales/EUR/2026-03-05, or its id.")]
ProgrammeOption = Annotated[str, typer.Option("--programme", help="Whose money it is.")]
CurrencyOption = Annotated[str, typer.Option("--currency", help="Of the balances that are paid out.")]


class Office:
    """The store of a running stack, and whoever works on payouts there."""

    def __init__(self, database: Database, clock: Clock) -> None:
        from services.rewards.payouts.desk import PayoutDesk
        from services.rewards.payouts.preparing import Preparer
        from services.rewards.store import Ledger

        self.database = database
        self.clock = clock
        ledger = Ledger(database)
        self.preparer: Preparer = Preparer(database, ledger, clock=clock)
        self.desk: PayoutDesk = PayoutDesk(database, ledger, clock=clock)


def in_office(data: Path | None, work: Callable[[Office], Awaitable[T]]) -> T:
    """Do it, in the role of the rewards service; problems end the command."""
    from goodword.target import find_target
    from runtime.clock import SystemClock
    from runtime.database import Database
    from services.rewards.store import SETUP

    async def do(postgres: str) -> T:
        database = Database(postgres, application="payouts", setup=SETUP)
        await database.start()
        try:
            return await work(Office(database, SystemClock()))
        finally:
            await database.stop()

    with problems_shown(), faults_shown():
        return asyncio.run(do(find_target(data).postgres))


@contextmanager
def faults_shown() -> Iterator[None]:
    """All faults of what was given, not only the first."""
    from services.rewards.payouts.directory import PayoutFaults

    try:
        yield
    except PayoutFaults as refused:
        for problem in refused.problems:
            show_problem(problem)
        raise typer.Exit(EXIT_NO) from None


def show_step(run: Run, what: str, *, as_json: bool) -> None:
    """What became of a run."""
    from services.rewards.payouts.listing import run_shown

    if as_json:
        emit_json(run_shown(run))
    else:
        out.print(f"{run.reference} {what}", markup=False)


def minor_of(text: str, unit: str, where: str) -> int:
    """`50 EUR` or `50` as minor units of the unit. Raises PermanentError (`amount-malformed`, `other-currency`)."""
    from contracts.errors import PermanentError, Problem
    from goodword.amounts import Amounts

    money = Amounts().read(text if " " in text.strip() else f"{text.strip()} {unit}")
    if money.unit != unit:
        message = f"{where} is in {money.unit}, and what is paid out in {unit}"
        raise PermanentError(Problem(code="other-currency", message=message, where=where, help=f"write it in {unit}"))
    return money.amount_minor


def shown(minor: int, unit: Any) -> str:
    from goodword.amounts import Amounts

    return Amounts().show(minor, str(unit))
