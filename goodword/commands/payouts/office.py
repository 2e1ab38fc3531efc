"""What every `goodword payouts …` shares: the ledger's store, who acts, and how faults and runs are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from goodword.terminal import emit_json, out

if TYPE_CHECKING:
    from goodword.rewarding import Rewards
    from services.rewards.payouts.payout import Run

T = TypeVar("T")
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Like crm-sales/EUR/2026-03-05, or its id.")]
ProgrammeOption = Annotated[str, typer.Option("--programme", help="Whose money it is.")]
CurrencyOption = Annotated[str, typer.Option("--currency", help="Of the balances that are paid out.")]


def in_office(data: Path | None, work: Callable[[Rewards], Awaitable[T]]) -> T:
    """Do it on the ledger of the stack that was named; problems end the command."""
    from goodword.rewarding import done

    return done(data, work)


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
