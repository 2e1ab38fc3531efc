"""`goodword events import`: history through the front door of a stack."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final, Self

import typer

from goodword.terminal import (
    EXIT_NO,
    EXIT_USAGE,
    DataOption,
    JsonOption,
    emit_json,
    fail,
    out,
    print_table,
    problems_shown,
    say,
)

if TYPE_CHECKING:
    from goodword.importing.importer import Importer, Summary
    from goodword.importing.progress import ImportProgress
    from goodword.target import Target

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _events() -> None:
    """Bring events in."""


@app.command("import")
def import_events(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="NDJSON of CloudEvents, or CSV with --mapping; .gz; - is stdin."),
    ],
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAP.yaml", help="How rows of CSV become events.")
    ] = None,
    join: Annotated[
        list[str] | None,
        typer.Option("--join", metavar="NAME=PATH", help="Place of a joined file that is not beside the first file."),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="FILE", help="Write what was refused, with its reason, as NDJSON."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, map and check everything, send nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when what was accepted has reached the ledger.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="With --wait: give up after so many seconds without progress.")
    ] = 600,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything at all was rejected.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import events. Running the same import again changes nothing.

    Ends with what was accepted, what was there before (duplicates), and what was rejected, by name. Rows that are
    rejected for a named flaw do not fail the import; it exits with 1 when something was rejected and nothing taken,
    or with --strict.
    """
    from contracts.errors import Problem

    if mapping is None and (csv_files := [name for name in files if name.lower().endswith((".csv", ".csv.gz"))]):
        fail(
            Problem(
                code="mapping-missing",
                message="a CSV file needs a mapping that says how its rows become events",
                where=csv_files[0],
                help="--mapping MAP.yaml; see docs/importing.md and examples/crm-pipeline/mapping.yaml",
            ),
            EXIT_USAGE,
        )
    if wait and dry_run:
        fail(Problem(code="bad-usage", message="--wait makes no sense with --dry-run: nothing is sent"), EXIT_USAGE)
    with problems_shown():
        summary = _import(
            files,
            mapping,
            _join_places(join or []),
            rejects,
            dry_run=dry_run,
            wait_s_max=timeout if wait else None,
            data=data,
        )
    if as_json:
        emit_json(summary)
    else:
        _show(summary, rejects, wait=wait)
    nothing_taken = summary.rejected > 0 and summary.accepted == 0 and summary.duplicates == 0
    raise typer.Exit(EXIT_NO if nothing_taken or (strict and summary.rejected) else 0)


def _import(
    files: list[str],
    mapping: Path | None,
    joins: Mapping[str, Path],
    rejects: Path | None,
    *,
    dry_run: bool,
    wait_s_max: float | None,
    data: Path | None,
) -> Summary:
    from goodword.importing.importer import Importer
    from goodword.importing.progress import ImportProgress
    from goodword.target import find_target

    target = None if dry_run else find_target(data)
    with RejectsFile(rejects) as sink, ImportProgress().shown() as progress:
        importer = Importer(files, mapping, joins, sink, progress)
        if target is None:
            from goodword.importing.checking import check_batch

            return importer.check(check_batch)
        return asyncio.run(_send(importer, target, progress, wait_s_max))


async def _send(importer: Importer, target: Target, progress: ImportProgress, wait_s_max: float | None) -> Summary:
    from goodword.embedded.stack import readiness
    from goodword.flow import open_target_bus, wait_until_reached
    from goodword.importing.door_key import door_key
    from goodword.importing.sending import Door, open_client

    async with open_client() as client, door_key(target) as key:
        door = Door(target.service("tracking"), key, client, on_wait=progress.waiting)
        summary = await importer.run(door)

        async def is_serving(name: str) -> str:
            url = target.services.get(name)
            return "its address is not known" if url is None else await readiness(client, url)

        # Of a file that was refused as a whole nothing is on its way.
        if wait_s_max is not None and (summary.accepted or summary.duplicates):
            started_s = time.monotonic()
            async with open_target_bus(target) as bus:
                await wait_until_reached(bus, report=progress.stage, is_serving=is_serving, wait_s_max=wait_s_max)
            summary.waited = True
            summary.wait_seconds = round(time.monotonic() - started_s, 3)
    return summary


class RejectsFile:
    """NDJSON of what was refused; made even when nothing was, so that a program need not ask."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        from contracts.errors import PermanentError, Problem

        if self._path is not None:
            try:
                self._file = self._path.open("wb")
            except OSError as error:
                raise PermanentError(
                    Problem(
                        code="rejects-not-writable",
                        message=f"the rejects file cannot be written: {error.strerror}",
                        where=str(self._path),
                    )
                ) from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, entry: Mapping[str, object]) -> None:
        import json

        if self._file is not None:
            # The standard library's writer: an original that is not UTF-8 is escaped instead of refused.
            line = json.dumps(entry).encode() + b"\n"
            with self._lock:
                self._file.write(line)


def _join_places(options: list[str]) -> dict[str, Path]:
    from contracts.errors import Problem

    places = {}
    for option in options:
        name, separator, path = option.partition("=")
        if not separator or not name or not path:
            fail(Problem(code="bad-usage", message="--join takes NAME=PATH", where=option), EXIT_USAGE)
        places[name] = Path(path)
    return places


def _show(summary: Summary, rejects: Path | None, *, wait: bool) -> None:
    what = "would be sent" if summary.dry_run else "sent"
    rate = f", {summary.events / summary.seconds:,.0f} a second" if summary.seconds > 0.5 else ""
    rows = f"{summary.rows:,} rows, " if summary.rows else ""
    out.print(f"{rows}{summary.events:,} events {what} in {summary.seconds:.1f} s{rate}")
    counted = [
        ("accepted", f"{summary.accepted:,}"),
        ("duplicates", f"{summary.duplicates:,}"),
        ("rejected", f"{summary.rejected:,}"),
    ]
    print_table(("outcome", ">count"), counted)
    for title, counts in (
        ("rejected", summary.rejected_by),
        ("taken although", summary.flaws),
        ("put right", summary.repairs),
    ):
        if counts:
            print_table((title, ">count"), [(name, f"{count:,}") for name, count in counts.items()])
    for one in summary.first_rejected:
        field = f" ({one.field})" if one.field else ""
        # A mapping without a reason of its own gives the name again.
        reason = "" if one.reason == one.name else f": {one.reason}"
        out.print(f"{one.file}:{one.line}: {one.name}{field}{reason}", markup=False, highlight=False)
    if not summary.events and not summary.rejected:
        say("there is nothing to import: no line has an event", "dim")
    if summary.rejected > len(summary.first_rejected) and rejects is None:
        say("--rejects FILE writes all that was refused, each with its line and reason", "dim")
    if wait:
        out.print(what_reached_the_ledger(summary))


def what_reached_the_ledger(summary: Summary) -> str:
    """What is true after `--wait`, as one line."""
    if not summary.accepted and not summary.duplicates:
        return "nothing was accepted, so nothing is on its way to the ledger"
    later = f"{summary.wait_seconds:.1f} s later"
    if summary.accepted:
        return f"{'what was accepted' if summary.rejected else 'all of it'} has reached the ledger, {later}"
    there = f"{summary.duplicates:,} {'event was' if summary.duplicates == 1 else 'events were'} there already"
    return f"nothing is new: {there}; all that was on its way has reached the ledger, {later}"
