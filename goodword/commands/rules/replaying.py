"""Replaying on the command line: a progress bar, Ctrl-C that keeps what was done, and going on from there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from goodword.terminal import EXIT_USAGE, err, say

if TYPE_CHECKING:
    from goodword.backtesting.plan import Plan
    from goodword.backtesting.run import Found, OnProgress
    from goodword.target import Target

EXIT_STOPPED: Final = 130
"""As a shell says of what Ctrl-C ended."""

WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes. [default: as many as there are cores]")
]


def replay(plan: Plan, folder: Path, *, workers: int, total: int | None, resume: bool) -> tuple[Found, Plan]:
    """Run the plan, or the one that was stopped, which ends where the log ended then."""
    from contracts.errors import PermanentError, Problem
    from goodword.backtesting.checkpoints import Run
    from goodword.backtesting.run import Limits, Stopped, run

    files = Run(folder, plan)
    earlier = files.resumed(plan)
    if resume:
        if earlier is None:
            raise PermanentError(
                Problem(
                    code="nothing-to-resume",
                    message="nothing with these rules, days and events was stopped here",
                    where=str(files.path),
                    help="start it without --resume",
                )
            )
        plan = earlier
    else:
        if earlier is not None:
            say("an earlier run of the same was stopped; this one begins anew (--resume would go on)", "dim")
        files.begin(plan)
    try:
        with _progress(total) as on_progress:
            return run(plan, folder, limits=Limits(workers=workers), on_progress=on_progress), plan
    except Stopped:
        say("stopped; the same command with --resume goes on from here", "bold")
        raise typer.Exit(EXIT_STOPPED) from None


@contextmanager
def _progress(total: int | None) -> Iterator[OnProgress]:
    """A bar of how far all parts have come."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    positions: dict[int, int] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("replaying", total=total)

        def show(part: int, position: int, events: int) -> None:
            positions[part] = position
            bar.update(task, completed=sum(positions.values()))

        yield show


def forget(plan: Plan, folder: Path) -> None:
    """Nothing of a run that is done and shown is kept."""
    from goodword.backtesting.checkpoints import Run

    Run(folder, plan).end()


def folder_of(target: Target | None) -> Path:
    """Where checkpoints are kept: in the stack's folder, else in the user's cache."""
    if target is not None and target.data_dir is not None:
        return target.data_dir / "backtests"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "goodword" / "backtests"


def refuse(errors: object, text: str, path: str) -> NoReturn:
    """End the command with all errors of a rule set; nothing was replayed."""
    from services.rules.language import RuleSetErrors, render_problems

    assert isinstance(errors, RuleSetErrors)
    err.print(render_problems(errors.problems, text, path), markup=False, end="")
    say("nothing was replayed", "bold")
    raise typer.Exit(EXIT_USAGE)
