"""`goodword rules restatement …`: corrections of the past, from proposed to posted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.commands.rules.desk import open_desk
from goodword.commands.rules.named import NoteOption, ProgrammeArgument
from goodword.commands.rules.restate import show
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from services.rules.lifecycle import Desk
    from services.rules.restating import Restatement

NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", min=1)]

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _restatement() -> None:
    """Look at corrections of the past, approve or reject them."""


@app.command("list")
def list_all(
    programme: Annotated[str | None, typer.Argument(metavar="[PROGRAMME]", help="Only this one's.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """All restatements, and which wait for somebody."""
    from goodword.target import find_target
    from services.rules.restating import list_restatements

    with problems_shown():
        found = asyncio.run(list_restatements(find_target(data).postgres, programme))
    rows = [each.as_json() for each in found]
    if as_json:
        emit_json(rows)
        return
    columns = ("id", "state", "label", "from", "to", "proposed_by", "proposed_at", "decided_by", "posted_at", "note")
    print_table(columns, [[row[column] for column in columns] for row in rows])


@app.command("show")
def show_one(
    programme: ProgrammeArgument,
    number: NumberArgument,
    with_lines: Annotated[
        bool, typer.Option("--lines", help="Print every adjusting decision, one JSON a line.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a restatement pays to whom, or takes back."""
    from goodword.target import find_target
    from services.rules.restating import show_restatement

    with problems_shown():
        target = find_target(data)
        restatement = asyncio.run(show_restatement(target.postgres, programme, number))
        if with_lines:
            asyncio.run(_print_lines(target.postgres, programme, number))
        else:
            show(target, restatement, as_json=as_json)


async def _print_lines(postgres: str, programme: str, number: int) -> None:
    import json

    from services.rules.restating import restated_lines

    after = 0
    while rows := await restated_lines(postgres, programme, number, after=after):
        for row in rows:
            typer.echo(json.dumps(row))
        after = rows[-1]["line"]


@app.command("approve")
def approve(
    programme: ProgrammeArgument,
    number: NumberArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a restatement that somebody else has proposed, and post its decisions to the ledger."""
    from services.rules.restating import approve_restatement

    _take_step(
        data,
        lambda desk: approve_restatement(desk, programme, number, who=name_of(who), note=note),
        as_json=as_json,
    )


@app.command("reject")
def reject(
    programme: ProgrammeArgument,
    number: NumberArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a restatement; that is its end, and nothing of it is paid."""
    from services.rules.restating import reject_restatement

    _take_step(
        data,
        lambda desk: reject_restatement(desk, programme, number, who=name_of(who), note=note),
        as_json=as_json,
    )


def _take_step(data: Path | None, step: Callable[[Desk], Awaitable[Restatement]], *, as_json: bool) -> None:
    from goodword.target import find_target

    async def at_the_desk() -> Restatement:
        async with open_desk(find_target(data)) as desk:
            return await step(desk)

    with problems_shown():
        done = asyncio.run(at_the_desk())
    if as_json:
        emit_json(done.as_json())
    else:
        out.print(f"restatement {done.id} is {done.state}", markup=False)
