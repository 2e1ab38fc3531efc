"""`goodword rules backtest`: what other rules would have paid for what has happened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from goodword.commands.rules.files import FileArgument, read_file
from goodword.terminal import EXIT_USAGE, DataOption, JsonOption, emit_json, err, fail, problems_shown, say

if TYPE_CHECKING:
    from contracts.ruleset import RuleSet
    from goodword.backtesting.asked import Against
    from goodword.backtesting.plan import FileSource, LogSource, Plan
    from goodword.backtesting.run import Found, OnProgress
    from goodword.target import Target
    from services.rules.backtest.report import Report

EXIT_STOPPED: Final = 130
"""As a shell says of what Ctrl-C ended."""


def backtest(
    draft: FileArgument,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="Decide by DRAFT, and count, from that day."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Count up to and including that day."),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="history|active|N|FILE",
            help="What it is compared with: what was in force at the time, the active revision, revision N, a file.",
        ),
    ] = "history",
    events: Annotated[
        list[Path] | None, typer.Option("--events", metavar="FILE", help="Replay NDJSON of CloudEvents, not the log.")
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for spreadsheets.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with charts that opens offline.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the same back-test where it was stopped.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes. [default: as many as there are cores]")
    ] = None,
    data: DataOption = None,
) -> None:
    """Replay what has happened under DRAFT, and print what would have been paid to whom, and what was.

    Nothing is changed or paid. Ctrl-C stops and keeps what was done for --resume. Exit code 0: done, whatever it
    found. 1: it did not work. 2: a file cannot be read or has errors. 130: stopped.
    """
    from services.rules.backtest.page import report_as_html
    from services.rules.backtest.table import report_as_csv

    if as_json and as_csv:
        raise typer.BadParameter("print --json or --csv")
    asked = _Asked(draft, against, first, last, events, workers, data)
    with problems_shown():
        report = asked.run(resume=resume)
    if html is not None:
        _write(html, report_as_html(report))
    if as_json:
        emit_json(report)
    elif as_csv:
        typer.echo(report_as_csv(report), nl=False)
    else:
        from goodword.backtesting.shown import show_report

        show_report(report)


class _Asked:
    """One back-test, from the arguments of the command."""

    def __init__(
        self,
        draft: Path,
        against: str,
        first: datetime | None,
        last: datetime | None,
        events: list[Path] | None,
        workers: int | None,
        data: Path | None,
    ) -> None:
        from goodword.backtesting.run import default_workers

        self._draft = draft
        self._against = against
        self._first = first and first.date()
        self._last = last and last.date()
        self._events = events
        self._workers = workers or default_workers()
        self._data = data
        self._text, self._rules = _read_rules(draft)

    def run(self, *, resume: bool) -> Report:
        """Raises PermanentError, TransientError; ends the command when it was stopped."""
        from goodword.backtesting.asked import head_of
        from services.rules.backtest.compare import compare

        target = self._target()
        against = self._compared_with(target)
        plan, lines = self._plan(target, against)
        folder = _folder_of(target)
        found, plan = _replay(plan, folder, workers=self._workers, total=lines, resume=resume)
        report = compare(
            head_of(self._rules, plan, against.rules, self._first, self._last),
            found.kept,
            events=found.events,
            skipped=found.skipped,
        )
        if target is not None and not self._events and (against.revision is not None or not against.side.source_text):
            asyncio.run(_record(target, plan, against, report))
        _forget(plan, folder)
        return report

    def _target(self) -> Target | None:
        """The stack; None where event files and rule files say everything."""
        from goodword.target import find_target

        needs_none = self._events and (self._against == "history" or Path(self._against).is_file())
        return None if needs_none else find_target(self._data)

    def _compared_with(self, target: Target | None) -> Against:
        from goodword.backtesting.asked import against, revisions_known
        from services.rules.language import RuleSetErrors

        if self._events and self._against == "history":
            fail_usage("event files have no history of revisions: name --against active, N or FILE")
        is_file = not self._against.isdecimal() and Path(self._against).is_file()
        text = read_file(Path(self._against), not_text_exit_code=EXIT_USAGE) if is_file else None
        revisions = asyncio.run(revisions_known(target, self._rules.programme))
        self._is_published = any(each.published_at is not None for each in revisions)
        try:
            return against(self._against, text, revisions, self._rules.programme)
        except RuleSetErrors as errors:
            _refuse(errors, text or "", self._against)

    def _plan(self, target: Target | None, against: Against) -> tuple[Plan, int | None]:
        """The plan, and how many records or lines there are to read; None where nobody knows."""
        from goodword.backtesting.asked import days_between, file_side, file_source, in_place, log_source
        from goodword.backtesting.plan import Plan

        zone = self._rules.timezone
        first_day, last_day = days_between(self._first, self._last)
        is_always = bool(self._events) or not self._is_published
        sides = [
            in_place(side, zone, first_day, is_always=is_always)
            for side in (against.side, file_side(self._text, str(self._draft)))
        ]
        source: FileSource | LogSource
        total: int | None
        if target is None or self._events:
            source, parts, lines = file_source(self._events or (), self._workers)
            total = None if lines is None else lines * len(parts)
        else:
            source, parts = asyncio.run(log_source(target))
            total = sum(part.end for part in parts)
        plan = Plan(
            kind="sums",
            programme=self._rules.programme,
            timezone=zone,
            before=sides[0],
            after=sides[1],
            first_day=first_day,
            last_day=last_day,
            source=source,
            parts=parts,
        )
        return plan, total


def _replay(plan: Plan, folder: Path, *, workers: int, total: int | None, resume: bool) -> tuple[Found, Plan]:
    """Run the plan, or the one that was stopped, which ends where the log ended then."""
    from contracts.errors import PermanentError, Problem
    from goodword.backtesting.checkpoints import Run
    from goodword.backtesting.run import Limits, Stopped, run

    files = Run(folder, plan)
    earlier = files.resumed()
    if resume:
        if earlier is None:
            raise PermanentError(
                Problem(
                    code="nothing-to-resume",
                    message="no back-test of these rules, days and events was stopped here",
                    where=str(files.path),
                    help="start it without --resume",
                )
            )
        plan = earlier
    else:
        if earlier is not None:
            say("an earlier run of this back-test was stopped; this one begins anew (--resume would go on)", "dim")
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


def _forget(plan: Plan, folder: Path) -> None:
    from goodword.backtesting.checkpoints import Run

    Run(folder, plan).end()


async def _record(target: Target, plan: Plan, against: Against, report: Report) -> None:
    """Let the gate know that somebody saw what this draft would have paid."""
    from datetime import timedelta

    from contracts.events import EPOCH
    from goodword.commands.rules.who import name_of
    from runtime.clock import SystemClock
    from services.rules.lifecycle import Backtest, record_backtest

    await record_backtest(
        target.postgres,
        Backtest(
            programme=plan.programme,
            digest=plan.after.digest,
            against_revision=against.revision,
            finished_at=EPOCH + timedelta(milliseconds=SystemClock().now_ms()),
            summary=report.summary(),
            by=name_of(None),
        ),
    )


def _folder_of(target: Target | None) -> Path:
    """Where checkpoints are kept: in the stack's folder, else in the user's cache."""
    if target is not None and target.data_dir is not None:
        return target.data_dir / "backtests"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "goodword" / "backtests"


def _read_rules(path: Path) -> tuple[str, RuleSet]:
    from services.rules.language import RuleSetErrors, read_rule_set

    text = read_file(path, not_text_exit_code=EXIT_USAGE)
    try:
        return text, read_rule_set(text, path=str(path))
    except RuleSetErrors as errors:
        _refuse(errors, text, str(path))


def _refuse(errors: object, text: str, path: str) -> NoReturn:
    from services.rules.language import RuleSetErrors, render_problems

    assert isinstance(errors, RuleSetErrors)
    err.print(render_problems(errors.problems, text, path), markup=False, end="")
    say("nothing was replayed", "bold")
    raise typer.Exit(EXIT_USAGE)


def fail_usage(message: str) -> NoReturn:
    from contracts.errors import Problem

    fail(Problem(code="bad-usage", message=message), EXIT_USAGE)


def _write(path: Path, text: str) -> None:
    from contracts.errors import Problem

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(Problem(code="unwritable-file", message=error.strerror or str(error), where=str(path)), EXIT_USAGE)
