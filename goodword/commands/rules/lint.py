"""`goodword rules lint`: everything that is wrong with rule files, each at its characters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.commands.rules.files import read_file
from goodword.terminal import EXIT_NO, JsonOption, emit_json, out, say

if TYPE_CHECKING:
    from services.rules.language import LocatedProblem


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
