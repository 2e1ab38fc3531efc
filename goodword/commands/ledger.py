"""`goodword ledger …`: balances, the trial balance, statements, and why every cent (and every zero) is there."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from goodword.commands import (
    ledger_bookings,
    ledger_books,
    ledger_conflicts,
    ledger_export,
    ledger_liability,
    ledger_reconcile,
    ledger_verify,
)
from goodword.terminal import DataOption, JsonOption, emit_json, fail, print_table, problems_shown

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _ledger() -> None:
    """Balances, statements, and why every cent is there."""


@app.command("holds")
def show_holds(
    account: Annotated[
        str | None, typer.Option("--of", metavar="BENEFICIARY", help="Only of partner:…, customer:… or member:….")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is on hold, and until when."""
    from goodword.asking import ask
    from services.rewards.reads import holds

    rows, amounts = ask(data, lambda postgres: holds(postgres, beneficiary=account, limit=limit))
    if as_json:
        emit_json(rows)
    else:
        cells = [
            (
                row["available_at"],
                row["beneficiary"],
                amounts.show(row["minor"], row["unit"]),
                row["rule"],
                row["decision"],
            )
            for row in rows
        ]
        print_table(("available at", "of", ">on hold", "rule", "decision"), cells)


@app.command("waiting")
def show_waiting(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decisions that the ledger keeps until what they wait for is there."""
    from goodword.asking import ask
    from services.rewards.reads import waiting

    rows, amounts = ask(data, lambda postgres: waiting(postgres, limit=limit))
    if as_json:
        emit_json(rows)
    else:
        cells = [
            (row["decision"], row["beneficiary"], amounts.show(row["minor"], row["unit"]), row["rule"], row["reason"])
            for row in rows
        ]
        print_table(("decision", "of", ">amount", "rule", "why"), cells)


@app.command("explain")
def explain_reference(
    reference: Annotated[
        list[str],
        typer.Argument(metavar="TRANSFER_OR_EVENT", help="Id of a transfer, decision or event; also SOURCE/ID."),
    ],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why: from a transfer or an event down to every condition that was judged, granted and denied alike."""
    from contracts.errors import Problem
    from goodword.amounts import amounts_now
    from goodword.explaining import events_of, print_explanation
    from goodword.origins import origins
    from goodword.target import find_target
    from services.rewards.reads import explain

    asked = " ".join(reference)
    with problems_shown():
        target = find_target(data)
        found = explain(target.postgres, asked)
        amounts = amounts_now(target.postgres)
        came_from = asyncio.run(origins(target, events_of(found))) if found else []
    if found is None:
        fail(
            Problem(
                code="nothing-known",
                message=f"the ledger knows no transfer, decision or event {asked!r}",
                help="`goodword events import` says whether an event was accepted; decisions follow within a moment",
            )
        )
    if as_json:
        emit_json(found | {"origins": came_from})
    else:
        print_explanation(found, came_from, amounts)


app.command("balances")(ledger_books.show_balances)
app.command("trial-balance")(ledger_books.show_trial_balance)
app.command("statement")(ledger_books.show_statement)
app.command("verify")(ledger_verify.verify)
app.command("head")(ledger_verify.show_head)
app.command("conflicts")(ledger_conflicts.show_conflicts)
app.command("liability")(ledger_liability.liability)
app.command("export")(ledger_export.export)
app.command("reconcile")(ledger_reconcile.reconcile)
app.command("budgets")(ledger_bookings.show_budgets)
app.command("top-up")(ledger_bookings.top_up)
app.command("void")(ledger_bookings.void)
app.command("release")(ledger_bookings.release)
app.command("admit")(ledger_bookings.admit)
app.command("write-off")(ledger_bookings.write_off)
