"""`goodword ledger …`: balances, the trial balance, statements, and why every cent (and every zero) is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.commands import ledger_bookings, ledger_reconcile
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, fail, out, print_table, problems_shown, say

if TYPE_CHECKING:
    from goodword.amounts import Amounts
    from services.rewards.reads import Statement

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _ledger() -> None:
    """Balances, statements, and why every cent is there."""


@app.command("balances")
def show_balances(
    account: Annotated[
        str | None, typer.Option("--account", metavar="PREFIX", help="Only accounts that begin like this.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every account with its balance, per unit; credits minus debits, so what a partner has is positive."""
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reads import balances

    with problems_shown():
        postgres = find_target(data).postgres
        rows = balances(postgres)
        show = amounts_now(postgres).show
    if account is not None:
        rows = [row for row in rows if row["account"].startswith(account)]
    if as_json:
        emit_json(rows)
    else:
        print_table(("account", ">balance"), [(row["account"], show(row["minor"], row["unit"])) for row in rows])


@app.command("trial-balance")
def show_trial_balance(data: DataOption = None, as_json: JsonOption = False) -> None:
    """The sum of all balances per unit. It is zero, or the ledger is broken: exit code 1."""
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reads import trial_balance

    with problems_shown():
        postgres = find_target(data).postgres
        rows = trial_balance(postgres)
        show = amounts_now(postgres).show
    if as_json:
        emit_json(rows)
    else:
        cells = [
            (row["unit"], *(show(minor, row["unit"]) for minor in (row["debits"], row["credits"], row["minor"])))
            for row in rows
        ]
        print_table(("unit", ">debits", ">credits", ">sum"), cells)
    broken = [row["unit"] for row in rows if row["minor"] != 0]
    if broken:
        say(f"the ledger does not balance in {', '.join(broken)}", "bold red")
    raise typer.Exit(EXIT_NO if broken else 0)


@app.command("statement")
def show_statement(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Such as partner:moses-frase:available.")],
    unit: Annotated[str | None, typer.Option("--unit", help="Only this unit.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Postings of a page.")] = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on after an earlier page.")] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="In the order of posting.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The postings of an account, each with the balance after it."""
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reads import statement

    with problems_shown():
        postgres = find_target(data).postgres
        page = statement(postgres, account, unit=unit, limit=limit, cursor=cursor, newest_first=not oldest_first)
        amounts = amounts_now(postgres)
    if as_json:
        emit_json(page)
    else:
        _print_statement(page, amounts)


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
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reads import holds

    with problems_shown():
        postgres = find_target(data).postgres
        rows = holds(postgres, beneficiary=account, limit=limit)
        show = amounts_now(postgres).show
    if as_json:
        emit_json(rows)
    else:
        cells = [
            (row["available_at"], row["beneficiary"], show(row["minor"], row["unit"]), row["rule"], row["decision"])
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
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.reads import waiting

    with problems_shown():
        postgres = find_target(data).postgres
        rows = waiting(postgres, limit=limit)
        show = amounts_now(postgres).show
    if as_json:
        emit_json(rows)
    else:
        cells = [
            (row["decision"], row["beneficiary"], show(row["minor"], row["unit"]), row["rule"], row["reason"])
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
    from goodword.explaining import print_explanation
    from goodword.target import find_target
    from services.rewards.reads import explain

    asked = " ".join(reference)
    with problems_shown():
        postgres = find_target(data).postgres
        found = explain(postgres, asked)
        amounts = amounts_now(postgres)
    if found is None:
        fail(
            Problem(
                code="nothing-known",
                message=f"the ledger knows no transfer, decision or event {asked!r}",
                help="`goodword events import` says whether an event was accepted; decisions follow within a moment",
            )
        )
    if as_json:
        emit_json(found)
    else:
        print_explanation(found, amounts)


app.command("reconcile")(ledger_reconcile.reconcile)
app.command("budgets")(ledger_bookings.show_budgets)
app.command("top-up")(ledger_bookings.top_up)
app.command("void")(ledger_bookings.void)
app.command("release")(ledger_bookings.release)
app.command("admit")(ledger_bookings.admit)
app.command("write-off")(ledger_bookings.write_off)


def _print_statement(page: Statement, amounts: Amounts) -> None:
    out.print(f"[bold]{page['account']}[/]")
    for unit, minor in page["balances"].items():
        out.print(f"balance {amounts.show(minor, unit)}")
    rows: list[tuple[Any, ...]] = []
    for posting in page["postings"]:
        transfer = posting["transfer"]
        rows.append(
            (
                transfer["posted_at"],
                amounts.show(posting["minor"], posting["unit"]),
                amounts.show(posting["balance_minor"], posting["unit"]),
                transfer["rule"],
                posting["other_account"],
                transfer["event_id"],
                transfer["id"],
            )
        )
    print_table(("posted at", ">amount", ">balance", "rule", "other account", "event", "transfer"), rows)
    if page["next_cursor"]:
        say(f"more: --cursor {page['next_cursor']}", "dim")
