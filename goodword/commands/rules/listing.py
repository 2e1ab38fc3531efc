"""`goodword rules list`: the revisions of all programmes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from goodword.commands.rules.files import read_file
from goodword.terminal import DataOption, JsonOption, emit_json, print_table, problems_shown


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


def _programme_of(name: str | None) -> str | None:
    """A programme's name as it is; of a rule file, the programme in it."""
    from services.rules.language import read_rule_set

    # An id may look like a path, so only a file that is there is taken for one.
    if name is None or not Path(name).is_file():
        return name
    return read_rule_set(read_file(Path(name)), path=name).programme
