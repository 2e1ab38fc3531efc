"""`goodword mails list`: what was told to partners, and what became of each mail."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from goodword.terminal import EXIT_USAGE, DataOption, JsonOption, emit_json, fail, print_table, problems_shown

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _mails() -> None:
    """Mails to partners and what became of them."""


@app.command("list")
def list_mails(
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Only pending, sent, failed, unknown, too-old, no-address, ….")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mails, the newest fact first. `unknown` ones may or may not have arrived and are never sent again blindly."""
    from contracts.errors import Problem
    from goodword.target import find_target
    from services.notify.reads import OUTCOMES, mails

    if outcome is not None and outcome not in OUTCOMES:
        fail(
            Problem(code="bad-usage", message=f"no outcome {outcome!r}", where="--outcome", help=", ".join(OUTCOMES)),
            EXIT_USAGE,
        )
    with problems_shown():
        rows = mails(find_target(data).postgres, outcome=outcome, limit=limit)
    if as_json:
        emit_json(rows)
    else:
        columns = ("time", "kind", "outcome", "partner", "address", "reason")
        print_table(columns, [[row[column] for column in columns] for row in rows])
