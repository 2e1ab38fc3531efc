"""`goodword ledger void|release|admit|write-off|top-up|budgets`: what people book in the ledger, each with a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from contracts.facts import TransferPosted
    from contracts.money import Money
    from goodword.amounts import Amounts
    from services.rewards.by_hand import Bookings
    from services.rewards.legs import ByHand

DecisionArgument = Annotated[str, typer.Argument(metavar="DECISION", help="Its id, as `goodword ledger holds` shows.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the transfer, and told to the partner.")]
AmountOption = Annotated[
    str | None, typer.Option("--amount", metavar="AMOUNT", help="A part of it, like '12.50 USD'. [default: all]")
]


def void(
    decision: DecisionArgument,
    reason: ReasonOption,
    amount: AmountOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a hold back, or a part of it; a decision that waits is refused for good."""
    _book(
        data,
        name_of(who),
        reason,
        lambda bookings, by_hand, amounts: bookings.void(decision, _part(amounts, amount), by_hand),
        as_json=as_json,
    )


def release(
    decision: DecisionArgument,
    reason: ReasonOption,
    amount: AmountOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let go of a hold before its end, or of a part of it."""
    _book(
        data,
        name_of(who),
        reason,
        lambda bookings, by_hand, amounts: bookings.release(decision, _part(amounts, amount), by_hand),
        as_json=as_json,
    )


def admit(
    decision: DecisionArgument,
    reason: ReasonOption,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Grant a decision that waits for a budget, although it is spent; the budget is not claimed."""
    _book(
        data,
        name_of(who),
        reason,
        lambda bookings, by_hand, amounts: bookings.admit(decision, by_hand),
        as_json=as_json,
    )


def write_off(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Such as partner:moses-frase:available.")],
    programme: Annotated[str, typer.Option("--programme", help="At whose cost.")],
    reason: ReasonOption,
    unit: Annotated[str, typer.Option("--unit", help="Of what it owes.")] = "USD",
    amount: AmountOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forgive what an account owes, or a part of it; never more than it owes."""

    async def write_off(bookings: Bookings, by_hand: ByHand, amounts: Amounts) -> list[TransferPosted]:
        part = _part(amounts, amount)
        return await bookings.write_off(
            account, part.unit if part else unit, programme, part.amount_minor if part else None, by_hand
        )

    _book(data, name_of(who), reason, write_off, as_json=as_json)


def top_up(
    programme: Annotated[str, typer.Argument(metavar="PROGRAMME")],
    budget: Annotated[str, typer.Argument(metavar="BUDGET", help="Its id in the rule set.")],
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="Like '1000 USD'.")],
    reason: ReasonOption,
    period: Annotated[str, typer.Option("--period", help="Like 2026, 2026-Q1 or 2026-03. [default: none]")] = "",
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put more into a budget; what waits for it is resumed in order, within seconds."""

    async def top_up(bookings: Bookings, by_hand: ByHand, amounts: Amounts) -> list[TransferPosted]:
        from services.rewards.budgets.claims import BudgetKey

        money = amounts.read(amount)
        return await bookings.top_up(BudgetKey(programme, budget, period, money.unit), money.amount_minor, by_hand)

    _book(data, name_of(who), reason, top_up, as_json=as_json)


def show_budgets(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Budgets: what was put in, what was claimed, what is left, and how many decisions wait."""
    from goodword.asking import ask
    from services.rewards.reads import budgets

    rows, amounts = ask(data, budgets)
    if as_json:
        emit_json(rows)
        return
    cells = [
        (
            row["programme"],
            row["budget"],
            row["period"],
            *(
                amounts.show(minor, row["unit"])
                for minor in (row["allotted_minor"], row["claimed_minor"], row["left_minor"])
            ),
            row["waiting"],
        )
        for row in rows
    ]
    print_table(("programme", "budget", "period", ">put in", ">claimed", ">left", ">waiting"), cells)


def _book(
    data: Path | None,
    who: str,
    reason: str,
    work: Callable[[Bookings, ByHand, Amounts], Awaitable[list[TransferPosted]]],
    *,
    as_json: bool,
) -> None:
    """Do it, and show the transfers that it made."""
    from goodword.amounts import amounts_now
    from goodword.rewarding import with_rewards
    from goodword.target import find_target
    from services.rewards.legs import ByHand

    with problems_shown():
        postgres = find_target(data).postgres
        amounts = amounts_now(postgres)
        made = with_rewards(postgres, lambda rewards: work(rewards.bookings, ByHand(reason, who), amounts))
    if as_json:
        emit_json(made)
        return
    for transfer in made:
        amount = amounts.show(transfer.amount_minor, transfer.unit)
        out.print(f"{transfer.stage}: {amount} from {transfer.debit} to {transfer.credit}", markup=False)
    if not made:
        out.print("it is refused now; nothing was moved")


def _part(amounts: Amounts, amount: str | None) -> Money | None:
    """What `--amount` says; None: all."""
    return None if amount is None else amounts.read(amount)
