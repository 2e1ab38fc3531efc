"""Where the commands work on revisions: a stack's servers, and how an answer or a refusal is shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.target import Target, find_target
from goodword.terminal import EXIT_NO, EXIT_USAGE, emit_json, err, fail, out, problems_shown, say, show_problem

if TYPE_CHECKING:
    from services.rules.lifecycle import CanaryAsked, Desk, Revision

CanaryOption = Annotated[
    str | None, typer.Option("--canary", metavar="PERCENT", help="Only for so many of the partners first: 5, or 0.5.")
]
CanaryGroupOption = Annotated[
    str | None, typer.Option("--canary-group", metavar="GROUP", help="Only for the partners of this group first.")
]

WithoutOption = Annotated[
    bool,
    typer.Option("--without-second-opinion", help="Go on where the second engine is not installed; it is recorded."),
]


@asynccontextmanager
async def open_desk(target: Target) -> AsyncIterator[Desk]:
    """Raises PermanentError, TransientError."""
    from contracts.topics import TOPICS
    from goodword.flow import open_target_bus
    from runtime.clock import SystemClock
    from services.rules.lifecycle import Desk
    from services.rules.settings import RulesSettings
    from services.rules.store import StateStore

    settings = RulesSettings()
    store = StateStore(target.redis)
    try:
        await store.start()
        async with open_target_bus(target) as bus:
            # Publishing before the rules service ever ran is fine: it finds the revision in the log.
            await bus.ensure_topics(TOPICS, settings.partitions)
            yield Desk(postgres=target.postgres, bus=bus, store=store, clock=SystemClock(), policy=settings.policy)
    finally:
        await store.stop()


def take_step(data: Path | None, step: Callable[[Desk], Awaitable[Revision]], *, as_json: bool) -> Revision:
    """Take one step of a revision's life; shows a refusal and ends the command with 1."""

    async def at_the_desk() -> Revision:
        async with open_desk(find_target(data)) as desk:
            return await step(desk)

    with problems_shown(), refusals_shown(as_json=as_json):
        return asyncio.run(at_the_desk())


@contextmanager
def refusals_shown(*, as_json: bool) -> Iterator[None]:
    """Show all reasons of the gate, and the tests that do not pass; then end the command with 1."""
    from services.rules.lifecycle import GateRefused
    from services.rules.testing import render_results, report_as_json

    try:
        yield
    except GateRefused as refused:
        if as_json:
            emit_json({"problems": refused.problems, "tests": report_as_json(refused.tested)["tests"]})
        else:
            if not refused.tested.is_good:
                out.print(render_results(refused.tested), markup=False, end="")
            for problem in refused.problems:
                show_problem(problem)
            say("nothing was published", "bold")
        raise typer.Exit(EXIT_NO) from None


def canary_of(percent: str | None, group: str | None) -> CanaryAsked | None:
    """The canary that the options ask for; ends the command with 2 when they make no sense."""
    from contracts.errors import Problem
    from services.rules.lifecycle import CanaryAsked

    if percent is not None and group is not None:
        message = "a canary is for a share or for a group, not for both"
        fail(Problem(code="bad-canary", message=message, where="--canary"), EXIT_USAGE)
    if percent is None:
        return None if group is None else CanaryAsked(group=group)
    try:
        share = Decimal(percent.removesuffix("%")) * 10_000
        share_ppm = int(share)
    except (InvalidOperation, OverflowError, ValueError):
        share, share_ppm = Decimal(1), 0
    if share != share_ppm or not 0 < share_ppm < 1_000_000:
        message = f'"{percent}" is no share: percent between 0 and 100, with at most 4 decimals'
        fail(Problem(code="bad-canary", message=message, where="--canary"), EXIT_USAGE)
    return CanaryAsked(share_ppm=share_ppm)


def say_revision(revision: Revision, done: str, *, as_json: bool) -> None:
    """What became of it, as JSON or in a sentence."""
    if as_json:
        emit_json(revision.as_json())
    else:
        out.print(f"{revision.programme}: revision {revision.revision} {done}", markup=False)


def say_opinion(verdict: str) -> None:
    """Loud where only one engine has judged."""
    if verdict == "missing":
        err.print("[bold yellow]SECOND OPINION MISSING[/]: only one engine has judged this rule set")
