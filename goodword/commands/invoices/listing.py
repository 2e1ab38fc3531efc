"""`goodword invoices list` and `show`."""

from __future__ import annotations

from typing import Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown, say

NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="Such as SB-2026-000001.")]


def list_invoices(
    supplier: Annotated[
        str | None, typer.Option("--of", metavar="BENEFICIARY", help="Only of partner:…, customer:… or member:….")
    ] = None,
    payout: Annotated[
        str | None, typer.Option("--payout", metavar="PREFIX", help="Only of payouts whose reference begins like this.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Papers of a page.")] = 100,
    cursor: Annotated[str | None, typer.Option("--cursor", help="Go on after an earlier page.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issued papers, newest first."""
    from goodword.asking import ask
    from services.rewards.reads import invoices

    page, amounts = ask(
        data, lambda postgres: invoices(postgres, supplier=supplier, payout=payout, limit=limit, cursor=cursor)
    )
    if as_json:
        emit_json(page)
        return
    cells = [
        (
            row["number"],
            row["kind"],
            row["issued_on"],
            row["supplier"],
            amounts.show(row["gross_minor"], row["currency"]),
            amounts.show(row["credited_minor"], row["currency"]) if row["credited_minor"] else None,
            row["corrects"] or row["payout"],
        )
        for row in page["invoices"]
    ]
    print_table(("number", "kind", "issued on", "of", ">gross", ">credited", "payout or invoice"), cells)
    if page["next_cursor"]:
        say(f"more: --cursor {page['next_cursor']}", "dim")


def show_invoice(number: NumberArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """What one says; checked against its hash."""
    from goodword.target import find_target
    from services.rewards.papers.shown import invoice_sheet
    from services.rewards.reads import invoice

    with problems_shown():
        found = invoice(find_target(data).postgres, number)
    if as_json:
        emit_json(found)
        return
    sheet = invoice_sheet(found)
    out.print(f"{sheet['title']} {found.number}", style="bold", markup=False)
    for party in sheet["parties"]:
        out.print(f"{party['role']}: {', '.join(party['lines'])}", markup=False)
    for name, value in sheet["facts"]:
        out.print(f"{name}: {value}", markup=False)
    description, net, gross = sheet["columns"]
    print_table((description, f">{net}", f">{gross}"), sheet["rows"])
    for name, value in [*sheet["totals"], *sheet["settlement"]]:
        out.print(f"{name}: {value}", markup=False)
    for note in sheet["notes"]:
        out.print(note, markup=False)
    out.print(" ".join(sheet["digest"]), style="dim", markup=False)
