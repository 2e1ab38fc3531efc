"""`goodword rules publish`: a rule set enters into force."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from goodword.commands.rules.files import FileArgument, read_file
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, out, problems_shown, say

if TYPE_CHECKING:
    from goodword.target import Target
    from services.rules.language import LocatedProblem
    from services.rules.publish import Published
    from services.rules.testing import FileResults


def publish(
    file: FileArgument,
    author: Annotated[str | None, typer.Option("--author", help="Who publishes. [default: the user's name]")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a rule set enter into force, as the next revision of its programme, if all of its tests pass.

    The same text again changes nothing.
    """
    from goodword.target import find_target
    from services.rules.language import RuleSetErrors
    from services.rules.testing import RuleTestsFailed

    text = read_file(file)
    with problems_shown():
        target = find_target(data)
        try:
            published = asyncio.run(publish_to(target, text, str(file), author or _user_name()))
        except RuleSetErrors as errors:
            _show_errors(errors.problems, text, file, as_json=as_json)
        except RuleTestsFailed as failed:
            _show_failed(failed.tested, as_json=as_json)
    if as_json:
        emit_json(published)
        return
    from contracts.events import format_time

    since = format_time(published.effective_from_ms)
    if published.is_new:
        out.print(f"{published.programme}: revision {published.revision} is in force from {since} on")
    else:
        out.print(f"{published.programme}: revision {published.revision} has this very text already; nothing changed")


async def publish_to(target: Target, text: str, path: str, author: str) -> Published:
    """Publish a rule set to a stack. Raises RuleSetErrors, RuleTestsFailed, PermanentError, TransientError."""
    from contracts.topics import TOPICS
    from goodword.flow import open_target_bus
    from runtime.clock import SystemClock
    from runtime.settings import Settings
    from services.rules.publish import publish_rule_set
    from services.rules.store import StateStore

    store = StateStore(target.redis)
    try:
        await store.start()
        async with open_target_bus(target) as bus:
            # Publishing before the rules service ever ran is fine: it finds the revision in the log.
            await bus.ensure_topics(TOPICS, Settings().partitions)
            return await publish_rule_set(
                text, path, postgres=target.postgres, bus=bus, store=store, clock=SystemClock(), author=author
            )
    finally:
        await store.stop()


def _show_errors(problems: list[LocatedProblem], text: str, file: Path, *, as_json: bool) -> NoReturn:
    from services.rules.language import problems_as_json, render_problems

    if as_json:
        emit_json(problems_as_json(problems))
    else:
        out.print(render_problems(problems, text, str(file)), markup=False, end="")
        say("nothing was published", "bold")
    raise typer.Exit(EXIT_NO)


def _show_failed(tested: FileResults, *, as_json: bool) -> NoReturn:
    from services.rules.testing import render_results, report_as_json

    if as_json:
        emit_json(report_as_json(tested))
    else:
        out.print(render_results(tested), markup=False, end="")
        say("nothing was published", "bold")
    raise typer.Exit(EXIT_NO)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "unknown"
