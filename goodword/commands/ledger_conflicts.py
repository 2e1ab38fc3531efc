"""`goodword ledger conflicts`: what came again with other data and what was refused; neither ever moved anything."""

from __future__ import annotations

from typing import Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown


def show_conflicts(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ids that came again with other data, with the fields that differ; and postings that the ledger refused."""
    from goodword.target import find_target
    from services.rewards.reads import conflicts, refusals

    with problems_shown():
        postgres = find_target(data).postgres
        differing, refused = conflicts(postgres, limit=limit), refusals(postgres, limit=limit)
    if as_json:
        emit_json({"conflicts": differing, "refusals": refused})
        return
    if not differing and not refused:
        out.print("no conflict, no refusal")
    if differing:
        cells = [
            (row["seen_at"], row["transfer"], name, row["stored"][name], row["received"][name])
            for row in differing
            for name in row["fields"]
        ]
        print_table(
            ("seen at", "transfer", "field", "in the ledger", "came"), cells, title="Came again with other data"
        )
    if refused:
        print_table(
            ("refused at", "transfer", "reason", "message"),
            [(row["refused_at"], row["transfer"], row["reason"], row["message"]) for row in refused],
            title="Refused",
        )
