"""`goodword rules restate`: what correcting the past would pay or take back, proposed for somebody else to approve."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.commands.rules.desk import open_desk
from goodword.commands.rules.files import read_file
from goodword.commands.rules.named import NoteOption, ProgrammeArgument
from goodword.commands.rules.replaying import WorkersOption, folder_of, forget, refuse, replay
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import EXIT_USAGE, DataOption, JsonOption, emit_json, out, print_table, problems_shown, say

if TYPE_CHECKING:
    from goodword.backtesting.plan import Plan
    from goodword.target import Target
    from services.rules.backtest.window import Window
    from services.rules.restating import Restatement

BENEFICIARIES_SHOWN_MAX: Final = 20


def restate(
    programme: ProgrammeArgument,
    rules: Annotated[
        str,
        typer.Option("--revision", metavar="N|FILE", help="The rules that should have decided: a revision, a file."),
    ],
    first: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="The first day to correct.")
    ],
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="The last day. [default: to the end]"),
    ] = None,
    who: WhoOption = None,
    note: NoteOption = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the same command was stopped.")] = False,
    workers: WorkersOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work out what should have been paid for past days, and propose the difference; nothing is paid by that.

    `goodword rules restatement approve`, by somebody else, posts it as adjusting decisions. What earlier restatements
    have posted counts as paid. Exit code 0: proposed, or nothing differs. 1: it did not work. 130: stopped.
    """
    from goodword.backtesting.run import default_workers
    from goodword.target import find_target

    with problems_shown():
        target = find_target(data)
        plan, window = _plan(target, programme, rules, first, last)
        folder = folder_of(target)
        total = sum(part.end for part in plan.parts)
        found, plan = replay(plan, folder, workers=workers or default_workers(), total=total, resume=resume)
        restatement = asyncio.run(_propose(target, plan, window, found.kept, found.events, name_of(who), note))
        forget(plan, folder)
        if restatement is None:
            _say_nothing(as_json=as_json)
            return
        show(target, restatement, as_json=as_json)
    say(f"goodword rules restatement approve {programme} {restatement.number}, by somebody else, posts it", "bold")


def show(target: Target, restatement: Restatement, *, as_json: bool) -> None:
    """A restatement, and what it pays to whom."""
    from goodword.amounts import Amounts
    from services.rules.restating import restated_partners

    rows = asyncio.run(restated_partners(target.postgres, restatement.programme, restatement.number))
    if as_json:
        emit_json(restatement.as_json() | {"beneficiaries": rows})
        return
    days = f"{restatement.from_day} to {restatement.to_day or 'the end'}"
    out.print(
        f"restatement {restatement.id}, {restatement.state}: {days} by {restatement.label}, "
        f"{sum(row['decisions'] for row in rows):,} adjusting decisions, proposed by {restatement.proposed_by}",
        markup=False,
    )
    amounts = Amounts({row["unit"]: row["decimals"] for row in rows if row["decimals"] is not None})
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["unit"]] = totals.get(row["unit"], 0) + row["amount_minor"]
    for unit, minor in sorted(totals.items()):
        out.print(f"in all {amounts.show(minor, unit)}", markup=False)
    shown = rows[:BENEFICIARIES_SHOWN_MAX]
    title = f"{len(rows) - len(shown):,} more with --json" if len(rows) > len(shown) else None
    print_table(
        ("beneficiary", "partner", ">amount", ">decisions"),
        [
            (row["beneficiary"], row["partner"], amounts.show(row["amount_minor"], row["unit"]), row["decisions"])
            for row in shown
        ],
        title=title,
    )


def _plan(target: Target, programme: str, rules: str, first: datetime, last: datetime | None) -> tuple[Plan, Window]:
    import msgspec

    from goodword.backtesting.asked import days_between, log_source, rules_named
    from goodword.backtesting.plan import Plan
    from services.rules.backtest.sides import HISTORY, Side
    from services.rules.backtest.window import Window
    from services.rules.language import RuleSetErrors

    text = None if rules.isdecimal() else read_file(Path(rules), not_text_exit_code=EXIT_USAGE)
    try:
        side, rule_set = asyncio.run(rules_named(target, programme, rules, text))
    except RuleSetErrors as errors:
        refuse(errors, text or "", rules)
    first_day, last_day = days_between(first.date(), None if last is None else last.date())
    window = Window(rule_set.timezone, first_day, last_day)
    source, parts = asyncio.run(log_source(target))
    plan = Plan(
        kind="lines",
        programme=programme,
        timezone=rule_set.timezone,
        before=Side(label=HISTORY),
        after=msgspec.structs.replace(side, from_ms=window.first_ms, to_ms=window.end_ms),
        first_day=first_day,
        last_day=last_day,
        source=source,
        parts=parts,
    )
    return plan, window


async def _propose(
    target: Target, plan: Plan, window: Window, kept: object, events: int, who: str, note: str
) -> Restatement | None:
    from services.rules.backtest.lines import Lines
    from services.rules.backtest.sides import DRAFT_REVISION
    from services.rules.clock.calendar import date_of
    from services.rules.restating import Proposal, propose_restatement

    assert isinstance(kept, Lines)
    assert window.first_day is not None
    assert window.first_ms is not None
    side = plan.after
    proposal = Proposal(
        programme=plan.programme,
        revision=None if side.revision == DRAFT_REVISION else side.revision,
        label=side.label,
        digest=side.digest,
        source_text=side.source_text,
        from_day=date_of(window.first_day),
        to_day=None if window.last_day is None else date_of(window.last_day),
        first_ms=window.first_ms,
        end_ms=window.end_ms,
        events=events,
        lines=kept.found,
    )
    async with open_desk(target) as desk:
        return await propose_restatement(desk, proposal, who=who, note=note)


def _say_nothing(*, as_json: bool) -> None:
    if as_json:
        emit_json(None)
    else:
        out.print("nothing differs: all was paid as these rules say; nothing was proposed")
