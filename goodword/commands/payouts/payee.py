"""`goodword payouts payee set|show|list`: how, and in which currency, each beneficiary is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goodword.commands.payouts.office import in_office
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, fail, out, print_table

if TYPE_CHECKING:
    from goodword.rewarding import Rewards

app: Final = typer.Typer(no_args_is_help=True)
BeneficiaryArgument = Annotated[str, typer.Argument(metavar="BENEFICIARY", help="Such as partner:moses-frase.")]


@app.callback()
def _payee() -> None:
    """How, and in which currency, each beneficiary is paid. Account numbers are never shown whole."""


@app.command("set")
def set_payee(
    beneficiary: BeneficiaryArgument,
    method: Annotated[str, typer.Option("--method", help="sepa, swift or manual.")],
    currency: Annotated[str, typer.Option("--currency", help="What the bank is to pay in.")],
    name: Annotated[str, typer.Option("--name", help="Of the holder of the account.")],
    country: Annotated[str, typer.Option("--country", help="Of the holder: two letters.")],
    iban: Annotated[str | None, typer.Option("--iban")] = None,
    bic: Annotated[str | None, typer.Option("--bic")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Where banks have no IBANs.")] = None,
    legal_name: Annotated[str | None, typer.Option("--legal-name", help="For invoices; needed by all of tax.")] = None,
    address: Annotated[list[str] | None, typer.Option("--address", help="A line of it; may be repeated.")] = None,
    tax_country: Annotated[str | None, typer.Option("--tax-country", help="[default: --country]")] = None,
    vat_id: Annotated[str | None, typer.Option("--vat-id")] = None,
    tax_scheme: Annotated[
        str, typer.Option("--tax-scheme", help="standard, reverse-charge, exempt, outside.")
    ] = "outside",
    tax_rate: Annotated[str, typer.Option("--tax-rate", metavar="PERCENT", help="Of standard: 19 or 7.7.")] = "0",
    exempt_reason: Annotated[str, typer.Option("--exempt-reason", help="Of exempt: by which law.")] = "",
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how to pay a beneficiary, in place of what was said before. Runs that are prepared keep what they have."""
    from services.rewards.payouts import directory
    from services.rewards.payouts.bank_ids import normal_iban
    from services.rewards.payouts.payee import Payee, Tax, shown

    async def work(rewards: Rewards) -> dict[str, Any]:
        tax = None
        if legal_name is not None:
            tax = Tax(
                legal_name=legal_name,
                address=tuple(address or ()),
                country=tax_country or country,
                vat_id=vat_id,
                scheme=tax_scheme,  # type: ignore[arg-type]  # payee_faults says which there are
                rate_ppm=_ppm(tax_rate),
                exempt_reason=exempt_reason,
            )
        payee = Payee(
            beneficiary=beneficiary,
            method=method,  # type: ignore[arg-type]  # payee_faults says which there are
            currency=currency,
            name=name,
            country=country,
            iban=None if iban is None else normal_iban(iban),
            bic=bic,
            account=account,
            tax=tax,
        )
        is_news = await directory.set_payee(rewards.database, payee, who=name_of(who), clock=rewards.clock)
        return {"changed": is_news, "payee": shown(payee)}

    told = in_office(data, work)
    if as_json:
        emit_json(told)
    else:
        out.print(
            f"{beneficiary} {'is paid like this from now on' if told['changed'] else 'was paid like this already'}"
        )


@app.command("show")
def show_payee(beneficiary: BeneficiaryArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """How a beneficiary is paid, and who changed that when."""
    from contracts.errors import Problem
    from contracts.events import format_time
    from services.rewards.payouts.audit import audit_of
    from services.rewards.payouts.directory import payees_of
    from services.rewards.payouts.payee import shown

    async def work(rewards: Rewards) -> dict[str, Any] | None:
        async with rewards.database.connection() as connection:
            payee = (await payees_of(connection, [beneficiary])).get(beneficiary)
            if payee is None:
                return None
            history = [
                {"at": format_time(row["at_ms"]), "who": row["who"], "before": row["details"].get("before")}
                for row in await audit_of(connection, beneficiary)
            ]
            return {"payee": shown(payee), "history": history}

    told = in_office(data, work)
    if told is None:
        problem = Problem(code="payee-missing", message=f"nobody has said how to pay {beneficiary}")
        fail(problem, EXIT_NO)
    if as_json:
        emit_json(told)
        return
    print_table(("field", "value"), _rows(told["payee"]))
    print_table(("changed at", "by"), [(row["at"], row["who"]) for row in told["history"]])


@app.command("list")
def list_payees(
    after: Annotated[str, typer.Option("--after", metavar="BENEFICIARY", help="Go on after an earlier page.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1_000,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Payees, by beneficiary."""
    from services.rewards.payouts import directory
    from services.rewards.payouts.payee import Payee, account_shown, shown

    async def work(rewards: Rewards) -> list[Payee]:
        async with rewards.database.connection() as connection:
            return await directory.list_payees(connection, after=after, count_max=limit)

    payees = in_office(data, work)
    if as_json:
        emit_json([shown(payee) for payee in payees])
        return
    rows = [(p.beneficiary, p.method, p.currency, p.name, p.country, account_shown(p)) for p in payees]
    print_table(("beneficiary", "method", "currency", "name", "country", "account"), rows)


def _rows(fields: dict[str, Any]) -> list[tuple[str, Any]]:
    tax = fields.pop("tax", None) or {}
    return [*fields.items(), *((f"tax {name}", value) for name, value in tax.items())]


def _ppm(percent: str) -> int:
    """`7.7` as 77000. Raises PermanentError (`bad-payee`)."""
    from contracts.errors import PermanentError, Problem

    whole, _, part = percent.partition(".")
    if (
        not whole.isdecimal()
        or not percent.isascii()
        or len(whole) > 3
        or len(part) > 4
        or not (part or "0").isdecimal()
    ):
        message = f"{percent!r} is no rate of a tax"
        raise PermanentError(Problem(code="bad-payee", message=message, where="tax-rate", help="write 19 or 7.7"))
    return int(whole) * 10_000 + int(part.ljust(4, "0"))
