"""`goodword rules lint`: everything that is wrong with rule files, each at its characters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from goodword.commands.rules.files import read_file
from goodword.terminal import EXIT_NO, EXIT_USAGE, JsonOption, emit_json, fail, out, say

if TYPE_CHECKING:
    from services.rules.language import LocatedProblem


def lint(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", help="Rule sets, in YAML.")] = None,
    as_json: JsonOption = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for code hosts.")] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CODE", help="Print the page of one check, and check nothing.")
    ] = None,
) -> None:
    """Report everything that is wrong with rule files, each at its characters.

    Exit code 0: no errors, warnings perhaps. 1: a file has an error. 2: a file cannot be read, or no such CODE.
    """
    if explain is not None:
        _explain(explain)
    if not files:
        raise typer.BadParameter("name a rule set, or a check: --explain CODE")
    if as_json and as_sarif:
        raise typer.BadParameter("print --json or --sarif")
    found = [problem for file in files for problem in _lint(file, is_shown=not (as_json or as_sarif))]
    errors = [problem for problem in found if problem.severity == "error"]
    if as_json:
        from services.rules.language import problems_as_json

        emit_json(problems_as_json(found))
    elif as_sarif:
        from runtime.metrics import package_version
        from services.rules.language.sarif import problems_as_sarif

        emit_json(problems_as_sarif(found, package_version()))
    elif not found:
        out.print(f"{len(files)} file{'s' if len(files) > 1 else ''} checked: nothing wrong")
    else:
        say(f"{_counted(len(errors), 'error')}, {_counted(len(found) - len(errors), 'warning')}")
    raise typer.Exit(EXIT_NO if errors else 0)


def _lint(file: Path, *, is_shown: bool) -> list[LocatedProblem]:
    from services.rules.language import lint_text, render_problems

    text = read_file(file)
    problems = lint_text(text, str(file))
    if problems and is_shown:
        out.print(render_problems(problems, text, str(file)), markup=False, end="")
    return problems


def _explain(code: str) -> NoReturn:
    from contracts.errors import Problem
    from services.rules.language.checks import all_pages, explain
    from services.rules.language.words import did_you_mean

    page = explain(code)
    if page is None:
        known = [page.code for page in all_pages()]
        help = did_you_mean(code, known, "docs/rules.md#lint lists all checks")
        fail(Problem(code="unknown-check", message=f"there is no check {code!r}", help=help), EXIT_USAGE)
    out.print(page, markup=False, end="")
    raise typer.Exit(0)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
