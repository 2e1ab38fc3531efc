"""`goodword redemptions reserve|fulfil|cancel|list|show|reveal`: points and other units, spent on what is offered."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from goodword.rewarding import Rewards
    from services.rewards.redemptions.deciding import Redemption

app: Final = typer.Typer(no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `goodword redemptions list` shows it.")]


@app.command("reserve")
def reserve(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="As `goodword catalogue list` shows it.")],
    beneficiary: Annotated[str, typer.Option("--for", metavar="WHOM", help="Such as partner:moses-frase.")],
    programme: Annotated[str, typer.Option("--programme")],
    quantity: Annotated[int, typer.Option("--quantity", min=1)] = 1,
    key: Annotated[
        str | None, typer.Option("--key", help="The same key again is the same redemption. [default: a new one]")
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set something aside, and what it costs; it is fulfilled or cancelled later."""
    _do(
        data,
        lambda rewards: rewards.redemptions.reserve(
            programme, item, beneficiary, quantity=quantity, key=key or secrets.token_hex(16), by=name_of(who)
        ),
        as_json=as_json,
    )


@app.command("fulfil")
def fulfil(
    id: IdArgument,
    code: Annotated[
        list[str] | None, typer.Option("--code", help="A gift card's code, where none are loaded; may be repeated.")
    ] = None,
    codes: Annotated[
        typer.FileText | None,
        typer.Option(
            "--codes",
            metavar="FILE",
            help="The same, one a line; - is standard input. Neither stands in the shell's history.",
        ),
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """It was handed over; an item with codes hands out its own."""
    lines = [line.strip() for line in codes] if codes else []
    given = [*(code or ()), *(line for line in lines if line)]
    _do(data, lambda rewards: rewards.redemptions.fulfil(id, codes=given, by=name_of(who)), as_json=as_json)


@app.command("cancel")
def cancel(
    id: IdArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the transfer, and told to the partner.")],
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was reserved goes back; what has expired meanwhile then expires."""
    _do(data, lambda rewards: rewards.redemptions.cancel(id, reason=reason, by=name_of(who)), as_json=as_json)


@app.command("list")
def list_redemptions(
    beneficiary: Annotated[str | None, typer.Option("--for", metavar="WHOM", help="Only theirs.")] = None,
    state: Annotated[Literal["reserved", "fulfilled", "cancelled"] | None, typer.Option("--state")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Redemptions, the newest first."""
    from goodword.rewarding import done_in_amounts
    from services.rewards.redemptions.line import redemption_line

    found, amounts = done_in_amounts(data, lambda rewards: rewards.redemptions.listed(beneficiary, state, limit=limit))
    if as_json:
        emit_json([redemption_line(each) for each in found])
        return
    rows = []
    for each in found:
        what, price = f"{each.quantity} × {each.item}", amounts.show(each.price_minor, each.unit)
        rows.append((each.id, each.programme, each.beneficiary, what, price, each.state, each.reason))
    print_table(("id", "programme", "whom", "what", ">price", "state", "reason"), rows)


@app.command("show")
def show_redemption(id: IdArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """One redemption, and who was shown its codes; they are masked here, and shown by `reveal`."""
    from goodword.rewarding import done, show_one

    found = done(data, lambda rewards: rewards.redemptions.show(id))
    row: dict[str, object] = {**found}
    if not as_json:
        row["codes"] = ", ".join(found["codes"]) or None
        row["revealed"] = ", ".join(f"to {each['by']} at {each['at']}" for each in found["revealed"]) or None
    show_one(row, as_json=as_json)


@app.command("reveal")
def reveal(id: IdArgument, who: WhoOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """The codes that a redemption handed out; it is kept who saw them."""
    from goodword.rewarding import done

    codes = done(data, lambda rewards: rewards.redemptions.reveal(id, by=name_of(who)))
    if as_json:
        emit_json({"id": id, "codes": codes})
    elif codes:
        for code in codes:
            typer.echo(code)
    else:
        out.print("it has handed out no code")


def _do(data: Path | None, work: Callable[[Rewards], Awaitable[Redemption]], *, as_json: bool) -> None:
    from goodword.rewarding import done_in_amounts
    from services.rewards.redemptions.line import redemption_line

    made, amounts = done_in_amounts(data, work)
    if as_json:
        emit_json(redemption_line(made))
    else:
        what = f"{made.quantity} × {made.item} for {made.beneficiary}, {amounts.show(made.price_minor, made.unit)}"
        out.print(f"{made.state}: {what}\n{made.id}", markup=False)
