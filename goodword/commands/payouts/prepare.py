"""`goodword payouts prepare`: who is to be paid what, to be approved by somebody else."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from goodword.commands.payouts.office import CurrencyOption, ProgrammeOption, in_office, minor_of
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, say

if TYPE_CHECKING:
    from goodword.rewarding import Rewards


def prepare(
    programme: ProgrammeOption,
    currency: CurrencyOption,
    day: Annotated[
        str | None, typer.Option("--day", help="Whose rates hold, and its name: 2026-03-05. [default: today]")
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="Another name, for a second run of a day. [default: --day]")
    ] = None,
    minimum: Annotated[str | None, typer.Option("--minimum", metavar="AMOUNT", help="[default: the plan's]")] = None,
    fee: Annotated[str | None, typer.Option("--fee", metavar="AMOUNT", help="[default: the plan's]")] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="Only payees paid like this. [default: the plan's]")
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare a run: what is available becomes what is to be approved. The same again changes nothing."""
    from contracts.errors import PermanentError, Problem
    from goodword.commands.payouts.listing import print_run
    from services.rewards.payouts.directory import plan_of
    from services.rewards.payouts.listing import run_in_full
    from services.rewards.payouts.plan import Terms
    from services.rewards.payouts.preparing import Asked

    async def work(rewards: Rewards) -> dict[str, Any]:
        try:
            on = None if day is None else date.fromisoformat(day)
        except ValueError:
            problem = Problem(code="bad-run", message=f"{day!r} is not a day", where="day", help="write 2026-03-05")
            raise PermanentError(problem) from None
        terms = None
        if minimum is not None or fee is not None or method is not None:
            async with rewards.database.connection() as connection:
                plan = await plan_of(connection, programme, currency)
            terms = plan.terms if plan else Terms()
            changed: dict[str, Any] = {}
            if minimum is not None:
                changed["minimum_minor"] = minor_of(minimum, currency, "minimum")
            if fee is not None:
                changed["fee_minor"] = minor_of(fee, currency, "fee")
            if method is not None:
                changed["method"] = method
            terms = msgspec.structs.replace(terms, **changed)
        asked = Asked(programme=programme, unit=currency, period=period, day=on, terms=terms)
        run = await rewards.preparer.prepare(asked, who=name_of(who))
        async with rewards.database.connection() as connection:
            return await run_in_full(connection, run.id)

    run = in_office(data, work)
    print_run(run, as_json=as_json)
    if not run["payouts"]:
        say(f"{run['reference']} pays nobody, and stays so; what could be paid since then takes --period NAME", "dim")
