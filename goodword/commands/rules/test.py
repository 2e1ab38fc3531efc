"""`goodword rules test`: the tests inside of rule files, run by what also decides live events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from goodword.commands.rules.files import read_file
from goodword.terminal import EXIT_NO, EXIT_USAGE, JsonOption, emit_json, fail, out, say

if TYPE_CHECKING:
    from services.rules.language import LocatedProblem
    from services.rules.testing import FileResults, Unreached


def run_rule_tests(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rule sets, in YAML.")],
    with_coverage: Annotated[
        bool, typer.Option("--coverage", help="Name the rules and branches that no test reached.")
    ] = False,
    as_json: JsonOption = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there, for build servers.")
    ] = None,
) -> None:
    """Run the tests of rule files; show what was expected, what came, and why.

    Exit code 0: all passed. 1: a test failed or could not be run. 2: a file cannot be read or has errors.
    """
    from services.rules.testing import render_results, render_unreached, report_as_json, results_as_junit

    tested = [_run(file) for file in files]
    missed = [_unreached(each) if with_coverage else None for each in tested]
    if junit is not None:
        _write(junit, results_as_junit(tested))
    if as_json:
        emit_json([report_as_json(each, found) for each, found in zip(tested, missed, strict=True)])
    else:
        for each, found in zip(tested, missed, strict=True):
            out.print(render_results(each), markup=False, end="")
            if found is not None:
                out.print(render_unreached(found, each.path), markup=False, end="")
    raise typer.Exit(0 if all(each.is_good for each in tested) else EXIT_NO)


def _run(file: Path) -> FileResults:
    from services.rules.language import RuleSetErrors
    from services.rules.testing import run_tests

    text = read_file(file, not_text_exit_code=EXIT_USAGE)
    try:
        return run_tests(text, str(file))
    except RuleSetErrors as errors:
        _refuse(errors.problems, text, file)


def _refuse(problems: list[LocatedProblem], text: str, file: Path) -> NoReturn:
    from goodword.terminal import err
    from services.rules.language import render_problems

    err.print(render_problems(problems, text, str(file)), markup=False, end="")
    say("nothing was tested", "bold")
    raise typer.Exit(EXIT_USAGE)


def _unreached(tested: FileResults) -> list[Unreached]:
    from services.rules.testing import unreached

    return unreached(tested.rules, [decision for result in tested.results for decision in result.decisions])


def _write(path: Path, text: str) -> None:
    from contracts.errors import Problem

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(Problem(code="unwritable-file", message=error.strerror or str(error), where=str(path)), EXIT_USAGE)
