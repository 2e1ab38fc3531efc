"""`goodword rules promote|withdraw|rollback`: what becomes of a canary, of a draft, and of a mistake."""

from __future__ import annotations

from typing import Annotated

import typer

from goodword.commands.rules.desk import say_revision, take_step
from goodword.commands.rules.named import NoteOption, ProgrammeArgument, RevisionArgument
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption


def promote(
    programme: ProgrammeArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the programme's canary enter into force for all partners."""
    from services.rules.lifecycle import promote as promote_canary

    promoted = take_step(
        data, lambda desk: promote_canary(desk, programme, who=name_of(who), note=note), as_json=as_json
    )
    say_revision(promoted, "is in force for everybody", as_json=as_json)


def withdraw(
    programme: ProgrammeArgument,
    revision: RevisionArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back a revision that is not in force, or a canary: then all partners are under the active revision."""
    from services.rules.lifecycle import withdraw as withdraw_revision

    withdrawn = take_step(
        data, lambda desk: withdraw_revision(desk, programme, revision, who=name_of(who), note=note), as_json=as_json
    )
    say_revision(withdrawn, "is withdrawn", as_json=as_json)


def rollback(
    programme: ProgrammeArgument,
    to: Annotated[
        int | None, typer.Option("--to", metavar="REVISION", min=1, help="Whose text. [default: the one before]")
    ] = None,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring an earlier text back into force at once, as a new revision; what was decided stays decided."""
    from services.rules.lifecycle import rollback as roll_back

    new = take_step(data, lambda desk: roll_back(desk, programme, to=to, who=name_of(who), note=note), as_json=as_json)
    say_revision(new, f"is in force, with the text of revision {new.restores_revision}", as_json=as_json)
