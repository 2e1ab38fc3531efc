"""`goodword rules publish`: a rule set enters into force, or goes as far as it may."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from goodword.commands.rules.desk import (
    CanaryGroupOption,
    CanaryOption,
    WithoutOption,
    canary_of,
    open_desk,
    refusals_shown,
    say_opinion,
)
from goodword.commands.rules.files import FileArgument, read_file
from goodword.commands.rules.named import NoteOption
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, out, problems_shown, say, show_problem

if TYPE_CHECKING:
    from goodword.target import Target
    from services.rules.language import LocatedProblem
    from services.rules.lifecycle import CanaryAsked, Published


def publish(
    file: FileArgument,
    who: WhoOption = None,
    note: NoteOption = "",
    canary: CanaryOption = None,
    canary_group: CanaryGroupOption = None,
    without_second_opinion: WithoutOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a rule set enter into force, as the next revision of its programme, if the gate lets it through.

    The same text again changes nothing, or goes on where it waited: for somebody's approval, for a back-test, as a
    canary. Exit code 0: it is in force. 1: it is not, and every reason is told.
    """
    from goodword.target import find_target
    from services.rules.language import RuleSetErrors

    text = read_file(file)
    asked = canary_of(canary, canary_group)
    with problems_shown(), refusals_shown(as_json=as_json):
        target = find_target(data)
        try:
            publishing = publish_to(
                target,
                text,
                str(file),
                name_of(who),
                note=note,
                canary=asked,
                without_second_opinion=without_second_opinion,
            )
            published = asyncio.run(publishing)
        except RuleSetErrors as errors:
            _show_errors(errors.problems, text, file, as_json=as_json)
    if as_json:
        emit_json(published)
    else:
        _say(published)
    raise typer.Exit(EXIT_NO if published.waits_for else 0)


async def publish_to(
    target: Target,
    text: str,
    path: str,
    who: str,
    *,
    note: str = "",
    canary: CanaryAsked | None = None,
    without_second_opinion: bool = False,
) -> Published:
    """Publish a rule set to a stack. Raises RuleSetErrors, GateRefused, PermanentError, TransientError."""
    from services.rules.lifecycle import publish_rule_set

    async with open_desk(target) as desk:
        return await publish_rule_set(
            desk, text, path, who=who, note=note, canary=canary, without_second_opinion=without_second_opinion
        )


def _say(published: Published) -> None:
    from contracts.events import format_time

    name = f"{published.programme}: revision {published.revision}"
    if not published.is_new:
        out.print(f"{name} has this very text already; nothing changed", markup=False)
        return
    say_opinion(published.second_opinion)
    if published.waits_for:
        out.print(f"{name} is {published.state}, and not in force", markup=False)
        for problem in published.waits_for:
            show_problem(problem)
        return
    assert published.effective_from_ms is not None
    whom = "for some partners " if published.state == "canary" else ""
    out.print(f"{name} is in force {whom}from {format_time(published.effective_from_ms)} on", markup=False)


def _show_errors(problems: list[LocatedProblem], text: str, file: Path, *, as_json: bool) -> NoReturn:
    from services.rules.language import problems_as_json, render_problems

    if as_json:
        emit_json(problems_as_json(problems))
    else:
        out.print(render_problems(problems, text, str(file)), markup=False, end="")
        say("nothing was published", "bold")
    raise typer.Exit(EXIT_NO)
