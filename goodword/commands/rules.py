"""`goodword rules lint|publish|list`: a rule set from file to force."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

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
    from goodword.target import Target
    from services.rules.language import LocatedProblem
    from services.rules.publish import Published

app: Final = typer.Typer(no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A rule set, in YAML.")]


@app.callback()
def _rules() -> None:
    """Check, publish and list rule sets."""


@app.command("lint")
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rule sets, in YAML.")],
    as_json: JsonOption = False,
) -> None:
    """Report everything that is wrong with rule files, each at its characters. Exit code 1 when something is."""
    from services.rules.language import lint_text, problems_as_json, render_problems

    found: list[LocatedProblem] = []
    for file in files:
        text = read_file(file)
        problems = lint_text(text, str(file))
        found += problems
        if problems and not as_json:
            out.print(render_problems(problems, text, str(file)), markup=False, end="")
    errors = [problem for problem in found if problem.severity == "error"]
    if as_json:
        emit_json(problems_as_json(found))
    elif not found:
        out.print(f"{len(files)} file{'s' if len(files) > 1 else ''} checked: nothing wrong")
    else:
        say(f"{len(errors)} errors, {len(found) - len(errors)} warnings")
    raise typer.Exit(EXIT_NO if errors else 0)


@app.command("publish")
def publish(
    file: FileArgument,
    author: Annotated[str | None, typer.Option("--author", help="Who publishes. [default: the user's name]")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a rule set enter into force, as the next revision of its programme. The same text again changes nothing."""
    from goodword.target import find_target
    from services.rules.language import RuleSetErrors

    text = read_file(file)
    with problems_shown():
        target = find_target(data)
        try:
            published = asyncio.run(publish_to(target, text, str(file), author or _user_name()))
        except RuleSetErrors as errors:
            _show_errors(errors.problems, text, file, as_json=as_json)
    if as_json:
        emit_json(published)
        return
    from contracts.events import format_time

    since = format_time(published.effective_from_ms)
    if published.is_new:
        out.print(f"{published.programme}: revision {published.revision} is in force from {since} on")
    else:
        out.print(f"{published.programme}: revision {published.revision} has this very text already; nothing changed")


@app.command("list")
def list_rules(
    programme: Annotated[
        str | None, typer.Argument(metavar="[PROGRAMME|FILE]", help="Only this one's, or that of this rule file.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The revisions of all programmes, and which is in force."""
    from goodword.target import find_target
    from services.rules.publish import list_revisions

    with problems_shown():
        wanted = _programme_of(programme)
        revisions = asyncio.run(list_revisions(find_target(data).postgres, wanted))
    rows = [revision.as_json() for revision in revisions]
    if as_json:
        emit_json(rows)
        return
    columns = ("programme", "revision", "state", "effective_from", "published_at", "author", "path")
    print_table(columns, [[row[column] for column in columns] for row in rows])


async def publish_to(target: Target, text: str, path: str, author: str) -> Published:
    """Publish a rule set to a stack. Raises RuleSetErrors, PermanentError, TransientError."""
    from contracts.topics import TOPICS
    from goodword.flow import open_target_bus
    from runtime.clock import SystemClock
    from runtime.settings import Settings
    from services.rules.publish import publish_rule_set
    from services.rules.store import StateStore

    store = StateStore(target.redis)
    try:
        await store.start()
        async with open_target_bus(target) as bus:
            # Publishing before the rules service ever ran is fine: it finds the revision in the log.
            await bus.ensure_topics(TOPICS, Settings().partitions)
            return await publish_rule_set(
                text, path, postgres=target.postgres, bus=bus, store=store, clock=SystemClock(), author=author
            )
    finally:
        await store.stop()


def read_file(path: Path) -> str:
    """The text of a file, or the end of the command with the reason."""
    from contracts.errors import Problem

    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        fail(Problem(code="unreadable-file", message=error.strerror or str(error), where=str(path)), EXIT_USAGE)
    except UnicodeDecodeError as error:
        fail(
            Problem(code="unreadable-file", message=f"not UTF-8: {error.reason} at byte {error.start}", where=str(path))
        )


def _show_errors(problems: list[LocatedProblem], text: str, file: Path, *, as_json: bool) -> NoReturn:
    from services.rules.language import problems_as_json, render_problems

    if as_json:
        emit_json(problems_as_json(problems))
    else:
        out.print(render_problems(problems, text, str(file)), markup=False, end="")
        say("nothing was published", "bold")
    raise typer.Exit(EXIT_NO)


def _programme_of(name: str | None) -> str | None:
    """A programme's name as it is; of a rule file, the programme in it."""
    from services.rules.language import read_rule_set

    # An id may look like a path, so only a file that is there is taken for one.
    if name is None or not Path(name).is_file():
        return name
    return read_rule_set(read_file(Path(name)), path=name).programme


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "unknown"
