"""`goodword invoices issue`: the papers of a payout run."""

from __future__ import annotations

from typing import Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, say


def issue(
    run: Annotated[str, typer.Option("--payout-run", metavar="RUN", help="Its reference or id.")],
    language: Annotated[str | None, typer.Option("--lang", help="en, id, pl or pt-BR. [default: the issuer's]")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Invoice what a run has sent, and credit what came back; again, it issues only what is missing."""
    from goodword.rewarding import done_in_amounts
    from services.rewards.papers.issuing import issue_run

    done, amounts = done_in_amounts(
        data, lambda rewards: issue_run(rewards.database, run, clock=rewards.clock, language=language)
    )
    if as_json:
        emit_json(
            {
                "issued": [
                    {"number": one.invoice.number, "payout": one.invoice.payout, "is_new": one.is_new}
                    for one in done.issued
                ],
                "left_out": done.left_out,
            }
        )
        return
    cells = [
        (
            one.invoice.number,
            one.invoice.kind,
            one.invoice.supplier.id,
            amounts.show(one.invoice.gross_minor, one.invoice.currency),
            "issued" if one.is_new else "issued before",
        )
        for one in done.issued
    ]
    print_table(("number", "kind", "of", ">gross", ""), cells)
    for left in done.left_out:
        say(f"left out: {left.message}", "yellow")
    out.print(f"{sum(one.is_new for one in done.issued)} issued, {len(done.left_out)} left out")
