"""`goodword rules approve|reject`: a second person looks at a revision."""

from __future__ import annotations

from typing import Annotated

import typer

from goodword.commands.rules.desk import (
    CanaryGroupOption,
    CanaryOption,
    WithoutOption,
    canary_of,
    say_revision,
    take_step,
)
from goodword.commands.rules.named import NoteOption, ProgrammeArgument, RevisionArgument
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption


def approve(
    programme: ProgrammeArgument,
    revision: RevisionArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    later: Annotated[bool, typer.Option("--later", help="Only approve; somebody activates it later.")] = False,
    canary: CanaryOption = None,
    canary_group: CanaryGroupOption = None,
    without_second_opinion: WithoutOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a tested revision that somebody else has submitted, and let it enter into force.

    Exit code 1: it cannot be approved; or it is approved and not in force, and every reason is told.
    """
    from services.rules.lifecycle import activate as activate_revision
    from services.rules.lifecycle import approve as approve_revision

    asked, name = canary_of(canary, canary_group), name_of(who)
    approved = take_step(
        data, lambda desk: approve_revision(desk, programme, revision, who=name, note=note), as_json=as_json
    )
    if later:
        say_revision(approved, f"is approved by {name}", as_json=as_json)
        return
    active = take_step(
        data,
        lambda desk: activate_revision(
            desk,
            programme,
            revision,
            who=name,
            note=note,
            canary=asked,
            without_second_opinion=without_second_opinion,
        ),
        as_json=as_json,
    )
    whom = "for some partners " if active.state == "canary" else ""
    say_revision(
        active, f"is approved by {name}, and in force {whom}from {_from(active.as_json())} on", as_json=as_json
    )


def reject(
    programme: ProgrammeArgument,
    revision: RevisionArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a revision that is not in force; that is its end."""
    from services.rules.lifecycle import reject as reject_revision

    name = name_of(who)
    rejected = take_step(
        data, lambda desk: reject_revision(desk, programme, revision, who=name, note=note), as_json=as_json
    )
    say_revision(rejected, f"is rejected by {name}", as_json=as_json)


def _from(row: dict[str, object]) -> object:
    return row["effective_from"]
