"""`goodword rules shadow`: a draft decided beside what is in force, on live events, paying nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodword.commands.rules.desk import open_desk
from goodword.commands.rules.files import read_file
from goodword.commands.rules.named import NoteOption
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import EXIT_USAGE, DataOption, JsonOption, emit_json, fail, out, print_table, problems_shown, say

if TYPE_CHECKING:
    from services.rules.lifecycle import Desk
    from services.rules.shadowing import Shadow

    Step = Callable[[Desk], Awaitable[Shadow]]


def shadow(
    draft: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|PROGRAMME/REVISION]", help="A rule file, which is stored as a draft; or a revision."
        ),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option("--share", metavar="PERCENT|PPM", help="Of the partners: 5, 0.5%, or 5000ppm. [default: 1 %]"),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="End the shadow that runs; what differed stays.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show how far it is, and what differs.")] = False,
    who: WhoOption = None,
    note: NoteOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a draft beside what is in force, for some partners' events from now on; nothing of it is paid.

    With --status, or without arguments: the newest shadow, and what differs. One runs at a time.
    """
    from goodword.target import find_target
    from services.rules.shadowing import shadow_told

    if sum((draft is not None, off, status)) > 1:
        raise typer.BadParameter("name a draft, or --off, or --status")
    if share is not None and draft is None:
        raise typer.BadParameter("--share belongs to the draft that begins")
    with problems_shown():
        if draft is not None:
            _say(_at_desk(data, _starting(draft, _share_ppm(share), name_of(who), note)), as_json=as_json)
        elif off:
            _say(_at_desk(data, _ending(name_of(who), note)), as_json=as_json)
        else:
            told = asyncio.run(shadow_told(find_target(data).postgres))
            if as_json:
                emit_json(told)
            else:
                _show(told)


def _starting(draft: str, share_ppm: int, who: str, note: str) -> Step:
    """What starts the shadow of a file or of a stored revision."""
    from services.rules.language import RuleSetErrors, render_problems
    from services.rules.lifecycle import submit_draft
    from services.rules.shadowing import start_shadow

    programme, _, number = draft.rpartition("/")
    # A programme's id may look like a path, so a file that is there comes first.
    is_revision = programme and number.isdecimal() and not Path(draft).is_file()
    text = "" if is_revision else read_file(Path(draft))

    async def start(desk: Desk) -> Shadow:
        if is_revision:
            return await start_shadow(desk, programme, int(number), share_ppm=share_ppm, who=who, note=note)
        try:
            stored, _ = await submit_draft(desk, text, draft, who=who, note=note)
        except RuleSetErrors as errors:
            out.print(render_problems(errors.problems, text, draft), markup=False, end="")
            say("nothing was started", "bold")
            raise typer.Exit(EXIT_USAGE) from None
        return await start_shadow(desk, stored.programme, stored.revision, share_ppm=share_ppm, who=who, note=note)

    return start


def _ending(who: str, note: str) -> Step:
    from services.rules.shadowing import end_shadow

    return lambda desk: end_shadow(desk, who=who, note=note)


def _at_desk(data: Path | None, step: Step) -> Shadow:
    from goodword.target import find_target

    async def take() -> Shadow:
        async with open_desk(find_target(data)) as desk:
            return await step(desk)

    return asyncio.run(take())


def _share_ppm(share: str | None) -> int:
    from contracts.errors import Problem
    from services.rules.shadowing import SHARE_DEFAULT_PPM

    if share is None:
        return SHARE_DEFAULT_PPM
    is_ppm = share.endswith("ppm")
    try:
        asked = Decimal(share.removesuffix("ppm" if is_ppm else "%")) * (1 if is_ppm else 10_000)
        ppm = int(asked)
    except (InvalidOperation, OverflowError, ValueError):
        asked, ppm = Decimal(1), 0
    if asked != ppm or not 0 < ppm <= 1_000_000:
        message = f'"{share}" is no share: percent, above 0 and up to 100 with at most 4 decimals, or 5000ppm'
        fail(Problem(code="bad-share", message=message, where="--share"), EXIT_USAGE)
    return ppm


def _percent(ppm: int) -> str:
    return f"{(Decimal(ppm) / 10_000).normalize():f} %"


def _say(found: Shadow, *, as_json: bool) -> None:
    if as_json:
        emit_json(found.as_json())
        return
    name = f"{found.programme}: revision {found.revision}"
    if found.state == "running":
        out.print(f"{name} is decided beside what is in force, for {_percent(found.share_ppm)} of the partners")
    else:
        out.print(f"{name} is no longer shadowed")


def _show(told: dict[str, Any]) -> None:
    out.print(
        f"{told['programme']}: revision {told['revision']} beside what is in force, for {_percent(told['share_ppm'])}"
        f" of the partners: {told['state']}{', ' + told['reason'] if told['reason'] else ''}",
        markup=False,
    )
    if told["state"] == "running" and told["past_read"] < told["past_records"]:
        out.print(f"learning what was: {told['past_read']} of {told['past_records']} records")
    out.print(f"{told['events']} events decided on both sides, of {told['live_records']} records since it began")
    columns = ("rule", "unit", "granted_before", "granted_after", "differing", "before_minor", "after_minor")
    print_table(columns, [[row[column] for column in columns] for row in told["rules"]])
    if told["examples"]:
        shown = ("rule", "event_id", "partner", "unit", "before_minor", "after_minor", "before", "after")
        print_table(shown, [[row[column] for column in shown] for row in told["examples"]], title="for example")
