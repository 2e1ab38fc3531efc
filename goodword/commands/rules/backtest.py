"""`goodword rules backtest`: what other rules would have paid for what has happened."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from goodword.commands.rules.files import FileArgument, read_file
from goodword.commands.rules.replaying import WorkersOption, folder_of, forget, refuse, replay
from goodword.terminal import EXIT_USAGE, DataOption, JsonOption, emit_json, fail, problems_shown

if TYPE_CHECKING:
    from contracts.ruleset import RuleSet
    from goodword.backtesting.asked import Against
    from goodword.backtesting.plan import FileSource, LogSource, Plan
    from goodword.target import Target
    from services.rules.backtest.report import Report


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
    workers: WorkersOption = None,
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
        from contracts.errors import PermanentError, Problem
        from goodword.backtesting.asked import head_of
        from services.rules.backtest.compare import compare
        from services.rules.backtest.comparison import Comparison

        target = self._target()
        against = self._compared_with(target)
        plan, lines = self._plan(target, against)
        folder = folder_of(target)
        found, plan = replay(plan, folder, workers=self._workers, total=lines, resume=resume)
        assert isinstance(found.kept, Comparison)
        if self._events and not found.events and self._first is None and self._last is None:
            raise PermanentError(
                Problem(
                    code="no-events",
                    message=f"no line is an event of {self._rules.programme}; passed over: {found.skipped:,}",
                    where=", ".join(map(str, self._events)),
                    help="event files are NDJSON of CloudEvents, as `goodword events import` takes them",
                )
            )
        report = compare(
            head_of(self._rules, plan, against.rules, self._first, self._last),
            found.kept,
            events=found.events,
            skipped=found.skipped,
        )
        if target is not None and not self._events and (against.revision is not None or not against.side.source_text):
            asyncio.run(_record(target, plan, against, report))
        forget(plan, folder)
        return report

    def _target(self) -> Target | None:
        """The stack; None where event files and rule files say everything."""
        from goodword.target import find_target

        needs_none = self._events and (self._against == "history" or self._is_against_file())
        return None if needs_none else find_target(self._data)

    def _is_against_file(self) -> bool:
        """Whether a file is meant, be it there or not: a revision is a number or a word."""
        path = Path(self._against)
        return not self._against.isdecimal() and (path.is_file() or path.suffix in {".yaml", ".yml"})

    def _compared_with(self, target: Target | None) -> Against:
        from goodword.backtesting.asked import against, revisions_known
        from services.rules.language import RuleSetErrors

        if self._events and self._against == "history":
            fail_usage("event files have no history of revisions: name --against active, N or FILE")
        text = read_file(Path(self._against), not_text_exit_code=EXIT_USAGE) if self._is_against_file() else None
        revisions = asyncio.run(revisions_known(target, self._rules.programme))
        self._is_published = any(each.published_at is not None for each in revisions)
        try:
            return against(self._against, text, revisions, self._rules.programme)
        except RuleSetErrors as errors:
            refuse(errors, text or "", self._against)

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


async def _record(target: Target, plan: Plan, against: Against, report: Report) -> None:
    """Let the gate know that somebody saw what this draft would have paid."""
    from datetime import timedelta

    from contracts.events import EPOCH
    from goodword.commands.who import name_of
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


def _read_rules(path: Path) -> tuple[str, RuleSet]:
    from services.rules.language import RuleSetErrors, read_rule_set

    text = read_file(path, not_text_exit_code=EXIT_USAGE)
    try:
        return text, read_rule_set(text, path=str(path))
    except RuleSetErrors as errors:
        refuse(errors, text, str(path))


def fail_usage(message: str) -> NoReturn:
    from contracts.errors import Problem

    fail(Problem(code="bad-usage", message=message), EXIT_USAGE)


def _write(path: Path, text: str) -> None:
    from contracts.errors import Problem

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(Problem(code="unwritable-file", message=error.strerror or str(error), where=str(path)), EXIT_USAGE)
