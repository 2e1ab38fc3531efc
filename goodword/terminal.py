"""What every command shares: tables for people, JSON for programs, one look for problems, exit codes.

Answers go to standard output, everything else (progress, problems, what is being done) to standard error, so that
`--json` can be piped. Exit code 1 means the answer is "no" or it did not work, 2 means the command was misused.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.errors import GoodwordError, ManyProblems, PermanentError, Problem
from goodword.embedded.failure import ServerFailed

EXIT_NO: Final = 1
EXIT_USAGE: Final = 2

# A pipe or a log has no width: nothing is cut there.
WIDTH_ELSEWHERE: Final = 400
out: Final = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_ELSEWHERE)
err: Final = Console(
    stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else WIDTH_ELSEWHERE
)

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The folder of a stack that `goodword up --data DIR` keeps."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def emit_json(value: Any) -> None:
    """Print a value as JSON, one line per element of a list, so that both programs and eyes can read it."""
    if isinstance(value, list):
        lines = ",\n ".join(msgspec.json.encode(element).decode() for element in value)
        typer.echo(f"[{lines}]")
    else:
        typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def emit_json_lines(elements: Iterable[Any]) -> None:
    """Print what `emit_json` would of a list, element by element as they come, so that it may be long."""
    typer.echo("[", nl=False)
    for number, element in enumerate(elements):
        typer.echo((",\n " if number else "") + msgspec.json.encode(element).decode(), nl=False)
    typer.echo("]")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on standard output. A column whose name starts with `>` is aligned right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    out.print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """One thing as a table of its fields; those without a value are left out."""
    print_table(("field", "value"), [(name, value) for name, value in fields.items() if value is not None])


def say(text: str, style: str | None = None) -> None:
    """One line for people on standard error."""
    err.print(escape(text), style=style)


def show_problem(problem: Problem) -> None:
    """`error[code]: what is wrong`, then where, then what to do."""
    err.print(f"[bold red]error[/][bold]\\[{escape(problem.code)}][/]: {escape(problem.message)}")
    if problem.where:
        err.print(f"  at: {escape(problem.where)}")
    if problem.help:
        err.print(f"[cyan]help[/]: {escape(problem.help)}")


def fail(problem: Problem, exit_code: int = EXIT_NO) -> NoReturn:
    """Show the problem and end the command."""
    show_problem(problem)
    raise typer.Exit(exit_code)


@contextlib.contextmanager
def problems_shown() -> Iterator[None]:
    """Turn what was raised on purpose, and outages of the servers, into problems and exit code 1."""
    import httpx
    import psycopg
    import redis

    try:
        yield
    except ManyProblems as error:
        for problem in error.problems[:-1]:
            show_problem(problem)
        fail(error.problems[-1])
    except (PermanentError, ServerFailed) as error:
        fail(error.problem)
    except GoodwordError as error:
        fail(Problem(code="failed", message=str(error)))
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        fail(
            Problem(
                code="postgres-unreachable" if isinstance(error, psycopg.OperationalError) else "nothing-there-yet",
                message=f"PostgreSQL: {str(error).strip().splitlines()[0] if str(error) else type(error).__name__}",
                help="`goodword status` shows what serves; a service makes its tables when it first starts",
            )
        )
    except redis.RedisError as error:
        fail(
            Problem(
                code="redis-unreachable",
                message=f"Redis: {error}",
                help="`goodword status` shows what serves and what does not",
            )
        )
    except httpx.TransportError as error:
        fail(
            Problem(
                code="service-unreachable",
                message=f"a service did not answer: {error or type(error).__name__}",
                help="`goodword status` shows what serves and what does not",
            )
        )
