"""`goodword payouts approve|reject|send|settle|return|cancel`: what becomes of a run, or of one payout of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.commands.payouts.file import FormatOption, write_bytes
from goodword.commands.payouts.office import RunArgument, in_office, show_step, shown
from goodword.commands.rules.named import NoteOption
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out

if TYPE_CHECKING:
    from goodword.rewarding import Rewards
    from services.rewards.payouts.payout import Payout, Run

OneOption = Annotated[str | None, typer.Option("--payout", metavar="ID", help="Only this one of the run.")]
AtOption = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="When, as 2026-03-06T00:00:00Z. [default: now]")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log and in the transfers.")]


def approve(
    run: RunArgument, note: NoteOption = "", who: WhoOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Let a prepared run go to the bank."""
    done = in_office(data, lambda rewards: rewards.desk.approve(run, who=name_of(who), note=note))
    show_step(done, f"is {done.state}, by {name_of(who)}", as_json=as_json)


def reject(
    run: RunArgument, reason: ReasonOption, who: WhoOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Do not let a run go to the bank: everything in it is available again."""
    done = in_office(data, lambda rewards: rewards.desk.cancel(run, who=name_of(who), note=reason))
    show_step(done, "is cancelled; everything in it is available again", as_json=as_json)


def send(
    run: RunArgument,
    file: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Write the bank's file there as well.")
    ] = None,
    format: FormatOption = "pain.001.001.09",
    note: NoteOption = "",
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note that an approved run is at the bank."""

    async def work(rewards: Rewards) -> Run:
        if file is not None:
            # First: a run is not at the bank when its file could not be made.
            await write_bytes(rewards, run, format, file)
        return await rewards.desk.send(run, who=name_of(who), note=note)

    show_step(in_office(data, work), "is at the bank", as_json=as_json)


def settle(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="All of it that was not returned.")] = None,
    payout: OneOption = None,
    reference: Annotated[str, typer.Option("--reference", help="The bank's, as on its statement.")] = "",
    at: AtOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note that the bank has paid: a whole run, or one payout by --payout."""
    if payout is not None:
        one = payout
        _show_one(
            in_office(data, lambda rewards: rewards.desk.settle(one, _at_ms(at), reference, who=name_of(who))),
            as_json=as_json,
        )
        return
    named = _needed(run)
    done = in_office(
        data, lambda rewards: rewards.desk.settle_run(named, who=name_of(who), reference=reference, at_ms=_at_ms(at))
    )
    show_step(done, "is paid", as_json=as_json)


def return_payout(
    payout: Annotated[str, typer.Argument(metavar="PAYOUT", help="Its id, or the bank's end-to-end id.")],
    reason: ReasonOption,
    at: AtOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note that the bank could not pay one, or has it back: it is available again."""
    done = in_office(data, lambda rewards: rewards.desk.return_(payout, _at_ms(at), reason, who=name_of(who)))
    _show_one(done, as_json=as_json)


def cancel(
    reason: ReasonOption,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]")] = None,
    payout: OneOption = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back a run that was not sent, or one payout of it by --payout: it is available again."""
    if payout is not None:
        one = payout
        _show_one(
            in_office(data, lambda rewards: rewards.desk.cancel_one(one, who=name_of(who), reason=reason)),
            as_json=as_json,
        )
        return
    named = _needed(run)
    done = in_office(data, lambda rewards: rewards.desk.cancel(named, who=name_of(who), note=reason))
    show_step(done, "is cancelled; everything in it is available again", as_json=as_json)


def _show_one(payout: Payout, *, as_json: bool) -> None:
    from services.rewards.payouts.listing import payout_shown

    if as_json:
        emit_json(payout_shown(payout))
    else:
        amount = shown(payout.pay_minor, payout.currency)
        out.print(f"{amount} to {payout.beneficiary} is {payout.state}", markup=False)


def _needed(run: str | None) -> str:
    if run is None:
        raise typer.BadParameter("name a RUN, or one payout by --payout")
    return run


def _at_ms(text: str | None) -> int | None:
    """Raises typer.BadParameter."""
    from datetime import datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no moment with an offset: write 2026-03-06T00:00:00Z")
    return int(moment.timestamp()) * 1_000
