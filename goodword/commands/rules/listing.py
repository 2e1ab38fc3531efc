"""`goodword rules list|history`: the revisions of all programmes, and who did what to them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from goodword.commands.rules.files import read_file
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, fail, out, print_table, problems_shown

WhichArgument = Annotated[
    str | None, typer.Argument(metavar="[PROGRAMME|FILE]", help="Only this one's, or that of this rule file.")
]


def list_rules(programme: WhichArgument = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """The revisions of all programmes: which is in force, which is scheduled, and which waits for somebody."""
    from goodword.target import find_target
    from runtime.clock import SystemClock
    from services.rules.lifecycle import list_revisions, shown_states

    with problems_shown():
        wanted = _programme_of(programme)
        revisions = asyncio.run(list_revisions(find_target(data).postgres, wanted, with_text=False))
    shown = shown_states(revisions, SystemClock().now_ms())
    rows = [each.as_json() | {"state": shown[each.programme, each.revision]} for each in revisions]
    if as_json:
        emit_json(rows)
        return
    columns = (
        "programme",
        "revision",
        "state",
        "effective_from",
        "published_at",
        "author",
        "approved_by",
        "note",
        "path",
    )
    print_table(columns, [[row[column] for column in columns] for row in rows])


def history(
    programme: WhichArgument = None,
    is_verifying: Annotated[
        bool, typer.Option("--verify", help="Check that no row was changed, removed or put in between.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The audit log: who did what to which revision, when and why."""
    from contracts.errors import Problem
    from goodword.target import find_target
    from services.rules.lifecycle import altered

    with problems_shown():
        wanted = _programme_of(programme)
        postgres = find_target(data).postgres
        if is_verifying and (number := asyncio.run(altered(postgres))) is not None:
            message = f"row {number} of the audit log is not as it was written, or a row before it is missing"
            fail(Problem(code="audit-altered", message=message), EXIT_NO)
        rows = asyncio.run(_whole_audit(postgres, wanted))
    if as_json:
        emit_json(rows)
        return
    columns = ("number", "at", "programme", "revision", "action", "who", "note")
    print_table(columns, [[row[column] for column in columns] for row in rows])
    if is_verifying:
        out.print("the audit log is as it was written")


async def _whole_audit(postgres: str, programme: str | None) -> list[dict[str, object]]:
    from services.rules.lifecycle import read_audit

    rows: list[dict[str, object]] = []
    after = 0
    while found := await read_audit(postgres, programme, after=after):
        rows += [row.as_json() for row in found]
        after = found[-1].number
    return rows


def _programme_of(name: str | None) -> str | None:
    """A programme's name as it is; of a rule file, the programme in it."""
    from services.rules.language import read_rule_set

    # An id may look like a path, so only a file that is there is taken for one.
    if name is None or not Path(name).is_file():
        return name
    return read_rule_set(read_file(Path(name)), path=name).programme
