"""`goodword rules diff`: what changed in meaning between two rule sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodword.commands.rules.reading import read_or_end
from goodword.terminal import EXIT_NO, JsonOption, emit_json, out, say


def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="A rule set, in YAML: how it is.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="A rule set, in YAML: how it would be.")],
    as_json: JsonOption = False,
) -> None:
    """Print what changed in meaning from one rule set to another, and which partners each change can touch.

    Order, spelling, comments and tests are no difference. Exit code 0: both mean the same. 1: they differ. 2: a file
    is not a rule set.
    """
    from services.rules.comparing import changes_as_json, differences, render_changes

    changes = differences(read_or_end(old), read_or_end(new))
    if as_json:
        emit_json(changes_as_json(changes))
    elif changes:
        out.print(render_changes(changes), markup=False, end="")
    else:
        say("both mean the same")
    raise typer.Exit(EXIT_NO if changes else 0)
