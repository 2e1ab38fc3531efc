"""`goodword payouts plan set|list`: minimum, fee, schedule and payer of a programme's currency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.commands.payouts.office import (
    CurrencyOption,
    ProgrammeOption,
    in_office,
    minor_of,
    shown,
)
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table

if TYPE_CHECKING:
    from goodword.rewarding import Rewards

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def _plan() -> None:
    """Minimum, fee, schedule and payer of a programme's currency."""


@app.command("set")
def set_plan(
    programme: ProgrammeOption,
    currency: CurrencyOption,
    minimum: Annotated[str | None, typer.Option("--minimum", metavar="AMOUNT", help="Less stays where it is.")] = None,
    fee: Annotated[str | None, typer.Option("--fee", metavar="AMOUNT", help="Of each payout.")] = None,
    fee_borne_by: Annotated[str | None, typer.Option("--fee-borne-by", help="partner or programme.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Only payees paid like this; all for any.")] = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", help="`monthly on 5`, `weekly on monday`, `daily`, `on request`.")
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Where days begin: Europe/Berlin.")] = None,
    payer_name: Annotated[str | None, typer.Option("--payer-name", help="From whose account banks pay.")] = None,
    payer_iban: Annotated[str | None, typer.Option("--payer-iban")] = None,
    payer_bic: Annotated[str | None, typer.Option("--payer-bic")] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set what is given, and leave the rest as it was. A new schedule is due from today on."""
    from services.rewards.payouts.directory import change_plan
    from services.rewards.payouts.plan import Plan, PlanChange, plan_shown

    async def work(rewards: Rewards) -> tuple[bool, Plan]:
        change = PlanChange(
            minimum_minor=None if minimum is None else minor_of(minimum, currency, "minimum"),
            fee_minor=None if fee is None else minor_of(fee, currency, "fee"),
            fee_borne_by=fee_borne_by,  # type: ignore[arg-type]  # plan_faults says which there are
            method=method,  # type: ignore[arg-type]  # as above
            schedule=schedule,
            zone=zone,
            payer_name=payer_name,
            payer_iban=payer_iban,
            payer_bic=payer_bic,
        )
        return await change_plan(rewards.database, programme, currency, change, who=name_of(who), clock=rewards.clock)

    is_news, plan = in_office(data, work)
    if as_json:
        emit_json({"changed": is_news, "plan": plan_shown(plan)})
    else:
        out.print(f"{programme} pays out {currency} {'like this from now on' if is_news else 'like this already'}")


@app.command("list")
def list_plans(data: DataOption = None, as_json: JsonOption = False) -> None:
    """What programmes pay out, and how."""
    from services.rewards.payouts import directory
    from services.rewards.payouts.bank_ids import masked
    from services.rewards.payouts.plan import Plan, plan_shown

    async def work(rewards: Rewards) -> list[Plan]:
        async with rewards.database.connection() as connection:
            return await directory.list_plans(connection)

    plans = in_office(data, work)
    if as_json:
        emit_json([plan_shown(plan) for plan in plans])
        return
    rows = [
        (
            *(plan.programme, plan.currency, plan.schedule, plan.zone),
            shown(plan.terms.minimum_minor, plan.currency),
            shown(plan.terms.fee_minor, plan.currency),
            plan.terms.fee_borne_by,
            plan.terms.method or "all",
            "" if plan.terms.payer is None else f"{plan.terms.payer.name} {masked(plan.terms.payer.iban)}",
        )
        for plan in plans
    ]
    columns = ("programme", "currency", "schedule", "zone", ">minimum", ">fee", "borne by", "method", "payer")
    print_table(columns, rows)
