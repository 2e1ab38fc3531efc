"""`goodword payouts request`: a partner asks to be paid now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from goodword.commands.payouts.office import in_office, shown
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import DataOption, JsonOption, emit_json, out

if TYPE_CHECKING:
    from goodword.rewarding import Rewards


def request(
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="moses-frase, or customer:… or member:….")],
    programme: Annotated[str, typer.Option("--programme", help="Whose money it is.")],
    amount: Annotated[
        str | None, typer.Option("--amount", metavar="AMOUNT", help="Like '50 EUR'. [default: all that can be paid]")
    ] = None,
    currency: Annotated[
        str | None, typer.Option("--currency", help="Of the balance. [default: that of --amount]")
    ] = None,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare a payout that its partner asked for, to be approved as any other; one at a time."""
    from contracts.errors import PermanentError, Problem
    from goodword.amounts import Amounts
    from services.rewards.payouts.listing import payout_shown, run_shown

    async def work(rewards: Rewards) -> tuple[dict[str, Any], dict[str, Any]]:
        money = None if amount is None else Amounts().read(amount)
        unit = currency or (money.unit if money else None)
        if unit is None or (money is not None and money.unit != unit):
            help = "write --amount '50 EUR', or --currency EUR for all of it"
            message = "a payout is asked for in the currency of a balance"
            raise PermanentError(Problem(code="currency-missing", message=message, where="currency", help=help))
        beneficiary = partner if ":" in partner else f"partner:{partner}"
        minor = None if money is None else money.amount_minor
        run, payout = await rewards.preparer.request(programme, unit, beneficiary, minor, who=name_of(who))
        return run_shown(run), payout_shown(payout)

    run, payout = in_office(data, work)
    if as_json:
        emit_json({"run": run, "payout": payout})
        return
    amount_shown = shown(payout["pay_minor"], payout["currency"])
    out.print(f"{amount_shown} to {payout['beneficiary']} is to be approved: {run['reference']}", markup=False)
