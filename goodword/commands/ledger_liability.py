"""`goodword ledger liability`: what is owed, and with `--forecast` by the month in which it falls due or expires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.commands.ledger_books import AsOfOption, TimeOption
from goodword.terminal import DataOption, JsonOption, emit_json, out, print_table, problems_shown

if TYPE_CHECKING:
    from goodword.amounts import Amounts
    from services.rewards.liability.forecast import Line
    from services.rewards.liability.read import Liability

COLUMNS: Final = ("programme", "unit", "kind", "month", "amount", "amount_minor", "expected_expiry_minor")


def liability(
    forecast: Annotated[
        bool,
        typer.Option("--forecast", help="By month: when holds end and points expire, and what experience expects."),
    ] = False,
    as_of: AsOfOption = None,
    time: TimeOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for spreadsheets.")] = False,
) -> None:
    """What is owed to partners, customers and members, per programme and unit; debts of theirs stand apart.

    The lines of a unit come to what all their accounts hold, but for what was paid.
    """
    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from goodword.zones import months_now
    from runtime.clock import SystemClock
    from services.rewards.asof.cuts import cut_of
    from services.rewards.liability.forecast import without_months
    from services.rewards.liability.read import liability

    with problems_shown():
        cut = None if as_of is None else cut_of(as_of, time)
        postgres = find_target(data).postgres
        at_ms = SystemClock().now_ms() if cut is None else int(cut.until.timestamp()) * 1_000
        answer = liability(postgres, months_now(postgres), at_ms=at_ms, cut=cut)
        amounts = amounts_now(postgres, ever=True)
    if not forecast:
        answer["lines"] = without_months(answer["lines"])
    if as_json:
        emit_json(answer)
    elif as_csv:
        _print_csv(answer["lines"], amounts)
    else:
        _print(answer, amounts, with_months=forecast)


def _print(answer: Liability, amounts: Amounts, *, with_months: bool) -> None:
    out.print(f"as of {answer['as_of']}")
    rows = [
        (
            line.programme,
            line.kind.replace("_", " "),
            line.month,
            amounts.show(line.minor, line.unit),
            _expected(line, amounts),
        )
        for line in answer["lines"]
    ]
    print_table(("programme", "what", "month", ">amount", ">expected to expire unused"), rows)
    for unit, minor in answer["totals"].items():
        out.print(f"in all {amounts.show(minor, unit)}")
    if with_months and answer["experience"]:
        found = [
            (
                each.programme,
                each.unit,
                f"{each.validity_months} months",
                each.lots,
                amounts.show(each.granted_minor, each.unit),
                f"{each.expired_share_ppm / 10_000:.2f} %",
            )
            for each in answer["experience"]
        ]
        title = "what expired unused, of what was granted and whose date has passed"
        print_table(("programme", "unit", "valid for", ">lots", ">granted", ">expired"), found, title=title)


def _expected(line: Line, amounts: Amounts) -> str:
    if line.expected_expiry_minor is None:
        return "too little experience" if line.kind == "expiring" else ""
    return amounts.show(line.expected_expiry_minor, line.unit)


def _print_csv(lines: list[Line], amounts: Amounts) -> None:
    from contracts.money import format_minor
    from goodword.csv_lines import csv_line

    typer.echo(csv_line(COLUMNS))
    for line in lines:
        amount = format_minor(line.minor, amounts.decimals_of(line.unit))
        cells = (line.programme, line.unit, line.kind, line.month, amount, line.minor, line.expected_expiry_minor)
        typer.echo(csv_line(cells))
