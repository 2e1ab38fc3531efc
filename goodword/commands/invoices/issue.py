"""`goodword invoices issue`: the papers of a payout run."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown, say


def issue(
    run: Annotated[str, typer.Option("--payout-run", metavar="RUN", help="Its reference or id.")],
    language: Annotated[str | None, typer.Option("--lang", help="en, id, pl or pt-BR. [default: the issuer's]")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Invoice what a run has sent, and credit what came back; again, it issues only what is missing."""
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from runtime.clock import SystemClock
    from runtime.database import Database
    from services.rewards.papers.issuing import RunPapers, issue_run
    from services.rewards.store import SETUP

    async def work(postgres: str) -> RunPapers:
        database = Database(postgres, application="papers", setup=SETUP)
        await database.start()
        try:
            return await issue_run(database, run, clock=SystemClock(), language=language)
        finally:
            await database.stop()

    with problems_shown():
        postgres = find_target(data).postgres
        done = asyncio.run(work(postgres))
        show = amounts_now(postgres).show
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
            show(one.invoice.gross_minor, one.invoice.currency),
            "issued" if one.is_new else "issued before",
        )
        for one in done.issued
    ]
    print_table(("number", "kind", "of", ">gross", ""), cells)
    for left in done.left_out:
        say(f"left out: {left.message}", "yellow")
    out.print(f"{sum(one.is_new for one in done.issued)} issued, {len(done.left_out)} left out")
