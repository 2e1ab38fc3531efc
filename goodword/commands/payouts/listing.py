"""`goodword payouts list|show`: runs, what is in one, whom it left out, and who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodword.commands.payouts.office import RunArgument, in_office, shown
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table

if TYPE_CHECKING:
    from goodword.rewarding import Rewards


def list_runs(
    programme: Annotated[str | None, typer.Option("--programme", help="Only this one's.")] = None,
    is_open: Annotated[bool, typer.Option("--open", help="Only those that are not finished.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Runs, the newest first."""
    from services.rewards.payouts.listing import runs_shown

    async def work(rewards: Rewards) -> list[dict[str, Any]]:
        async with rewards.database.connection() as connection:
            return await runs_shown(connection, programme=programme, is_open=is_open, count_max=limit)

    runs = in_office(data, work)
    if as_json:
        emit_json(runs)
        return
    rows = [
        (
            *(run["reference"], run["state"], sum(run["payouts"].values())),
            shown(run["gross_minor"], run["currency"]),
            *(run["prepared_by"], run["approved_by"]),
        )
        for run in runs
    ]
    print_table(("run", "state", ">payouts", ">of balances", "prepared by", "approved by"), rows)


def show_run(run: RunArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """A run: each payout, whom it left out and why, and who did what."""
    from services.rewards.payouts.listing import run_in_full

    async def work(rewards: Rewards) -> dict[str, Any]:
        async with rewards.database.connection() as connection:
            return await run_in_full(connection, run)

    print_run(in_office(data, work), as_json=as_json)


def print_run(run: dict[str, Any], *, as_json: bool) -> None:
    """A run in full, for people or for programs."""
    if as_json:
        emit_json(run)
        return
    out.print(f"{run['reference']}: {run['state']}, {len(run['payouts'])} payouts", markup=False)
    rows = [
        (
            *(one["id"], one["beneficiary"], one["state"], shown(one["gross_minor"], one["unit"])),
            *(shown(one["pay_minor"], one["currency"]), one["rate"], one["method"], one["account"], one["reason"]),
        )
        for one in run["payouts"]
    ]
    columns = ("payout", "beneficiary", "state", ">of the balance", ">paid", "rate", "method", "account", "reason")
    if rows:
        print_table(columns, rows)
    if run["left_out"]:
        left_out = [
            (one["beneficiary"], shown(one["minor"], run["currency"]), one["code"], one["message"])
            for one in run["left_out"]
        ]
        print_table(("left out", ">payable", "code", "why"), left_out)
    print_table(("at", "who", "did"), [(one["at"], one["who"], one["action"]) for one in run["history"]])
