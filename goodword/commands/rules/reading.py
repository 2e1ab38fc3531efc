"""Rule sets for commands that only look at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from goodword.commands.rules.files import read_file
from goodword.terminal import EXIT_USAGE, err

if TYPE_CHECKING:
    from contracts.ruleset import RuleSet


def read_or_end(path: Path) -> RuleSet:
    """The rule set of a file; or the end of the command, as unusable, with all of its errors."""
    from services.rules.language import RuleSetErrors, read_rule_set, render_problems

    try:
        text = read_file(path)
    except typer.Exit:
        raise typer.Exit(EXIT_USAGE) from None
    try:
        return read_rule_set(text, path=str(path))
    except RuleSetErrors as error:
        err.print(render_problems(error.problems, text, str(path)), markup=False, end="")
        raise typer.Exit(EXIT_USAGE) from None
