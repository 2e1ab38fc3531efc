"""`goodword rebuild rules|history`: what the rules service keeps, anew from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, err, out, problems_shown, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _rebuild() -> None:
    """Rebuild from the log what was lost."""


@app.command("rules")
def rebuild_rules(
    partition: Annotated[list[int] | None, typer.Option("--partition", min=0, help="Only these partitions.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Change nothing; compare with what is stored, byte for byte.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the log of referrals from its beginning and make the states of the rules service from it.

    Safe while the service runs. With --verify, exit code 1 when a state is not as the log says.
    """
    from rich.progress import Progress

    from goodword.target import find_target
    from services.rules.rebuild import rebuild
    from services.rules.settings import RulesSettings

    with problems_shown():
        target = find_target(data)
        settings = RulesSettings(kafka=target.kafka, postgres=target.postgres, redis=target.redis)
        with Progress(console=err, disable=not err.is_terminal) as bars:
            rebuilt = asyncio.run(rebuild(settings, partitions=partition, verify=verify, progress=_shown_in(bars)))
    if as_json:
        emit_json(rebuilt)
    else:
        done = "compared" if verify else "rebuilt"
        out.print(f"{done} {rebuilt.partitions} partitions from {rebuilt.records:,} records")
        if rebuilt.difference is not None:
            say(f"partition {rebuilt.difference.partition}, {rebuilt.difference.key}: not as the log says", "bold red")
        elif verify:
            out.print(f"{rebuilt.states:,} states are the same, byte for byte")
    raise typer.Exit(EXIT_NO if rebuilt.difference is not None else 0)


@app.command("history")
def rebuild_history_of_events(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Empty what the rules service keeps for `goodword rules explain`, and fill it again from the log.

    Safe while the service runs.
    """
    from rich.progress import Progress

    from goodword.target import find_target
    from services.rules.explaining.rebuild import rebuild_history
    from services.rules.settings import RulesSettings

    with problems_shown():
        target = find_target(data)
        settings = RulesSettings(kafka=target.kafka, postgres=target.postgres, redis=target.redis)
        with Progress(console=err, disable=not err.is_terminal) as bars:
            records = asyncio.run(rebuild_history(settings, progress=_shown_in(bars)))
    if as_json:
        emit_json({"records": records})
    else:
        out.print(f"kept {records:,} records of the log for explanations")


def _shown_in(bars: Progress) -> Callable[[int, int, int], None]:
    """One bar per partition."""
    tasks: dict[int, TaskID] = {}

    def show(number: int, done: int, total: int) -> None:
        if number not in tasks:
            tasks[number] = bars.add_task(f"partition {number}", total=total)
        bars.update(tasks[number], completed=done, total=total)

    return show
