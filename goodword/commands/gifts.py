"""`goodword gifts propose|approve|reject|list|show`: what is given at somebody's discretion, out of a budget."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from goodword.rewarding import Rewards
    from services.rewards.gifts.giving import Gift

app: Final = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `goodword gifts list` shows it.")]


@app.command("propose")
def propose(
    beneficiary: Annotated[str, typer.Option("--to", metavar="WHOM", help="Such as partner:moses-frase.")],
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="Like '50.00 EUR' or '500 POINTS'.")],
    programme: Annotated[str, typer.Option("--programme", help="At whose cost.")],
    budget: Annotated[str, typer.Option("--budget", help="Its id, as `goodword ledger budgets` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the transfer, and told to the partner.")],
    period: Annotated[str, typer.Option("--period", help="Like 2026, 2026-Q1 or 2026-03. [default: none]")] = "",
    key: Annotated[
        str | None, typer.Option("--key", help="The same key again is the same gift. [default: a new one]")
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a gift; somebody else approves or rejects it."""
    from contracts.money import told_decimals
    from goodword.amounts import amounts_now
    from goodword.target import find_target

    with problems_shown():
        amounts = amounts_now(find_target(data).postgres)
        money = amounts.read(amount)
    _do(
        data,
        lambda rewards: rewards.gifts.propose(
            programme,
            beneficiary,
            money,
            budget=budget,
            period=period,
            reason=reason,
            key=key or secrets.token_hex(16),
            by=name_of(who),
            decimals=told_decimals(money.unit, amounts.decimals_of(money.unit)),
        ),
        as_json=as_json,
    )


@app.command("approve")
def approve(
    id: IdArgument,
    because: Annotated[str, typer.Option("--note", help="Anything to add; it is kept.")] = "",
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Grant it, out of its budget; by somebody else than who proposed it."""
    _do(data, lambda rewards: rewards.gifts.approve(id, by=name_of(who), because=because), as_json=as_json)


@app.command("reject")
def reject(
    id: IdArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")],
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do not give it; who proposed it may take it back so, too."""
    _do(data, lambda rewards: rewards.gifts.reject(id, by=name_of(who), because=reason), as_json=as_json)


@app.command("list")
def list_gifts(
    beneficiary: Annotated[str | None, typer.Option("--to", metavar="WHOM", help="Only theirs.")] = None,
    state: Annotated[Literal["proposed", "granted", "rejected"] | None, typer.Option("--state")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Gifts, the newest first."""
    from goodword.rewarding import done_in_amounts
    from services.rewards.gifts.line import gift_line

    found, amounts = done_in_amounts(data, lambda rewards: rewards.gifts.listed(beneficiary, state, limit=limit))
    if as_json:
        emit_json([gift_line(each) for each in found])
        return
    cells = []
    for each in found:
        budget = f"{each.budget} {each.period}".strip()
        names = (
            each.id,
            each.programme,
            each.beneficiary,
            amounts.show(each.amount_minor, each.unit),
            budget,
            each.state,
        )
        cells.append((*names, each.proposed_by, each.decided_by, each.reason))
    print_table(("id", "programme", "whom", ">amount", "budget", "state", "proposed by", "decided by", "reason"), cells)


@app.command("show")
def show_gift(id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """One gift: who proposed it, who decided it, when and why."""
    from goodword.rewarding import done, show_one
    from services.rewards.gifts.line import gift_line

    show_one(dict(gift_line(done(data, lambda rewards: rewards.gifts.show(id)))), as_json=as_json)


def _do(data: Path | None, work: Callable[[Rewards], Awaitable[Gift]], *, as_json: bool) -> None:
    from goodword.rewarding import done_in_amounts
    from services.rewards.gifts.line import gift_line

    gift, amounts = done_in_amounts(data, work)
    if as_json:
        emit_json(gift_line(gift))
    else:
        amount = amounts.show(gift.amount_minor, gift.unit)
        out.print(f"{gift.state}: {amount} to {gift.beneficiary}: {gift.reason}\n{gift.id}", markup=False)
