"""`goodword payouts reconcile`: what the bank says it did, against what it was told to do."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.commands.payouts.office import in_office, shown
from goodword.commands.who import WhoOption, name_of
from goodword.terminal import EXIT_NO, DataOption, JsonOption, emit_json, out, print_table

if TYPE_CHECKING:
    from goodword.rewarding import Rewards
    from services.rewards.payouts.bank.entry import Entry
    from services.rewards.payouts.bank.matching import Match
    from services.rewards.payouts.bank.run import BankReport


class BankFormat(StrEnum):
    """Kinds of files that banks give."""

    CAMT053 = "camt.053"
    PAIN002 = "pain.002"
    CSV = "csv"


def reconcile(
    file: Annotated[Path, typer.Argument(metavar="BANKFILE", help="A statement (camt.053, CSV) or status report.")],
    format: Annotated[
        BankFormat | None, typer.Option("--format", help="[default: csv by its name, else as its content says]")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="BANK.yaml", help="Of CSV: which column is what.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only of this run something can be missing.")] = None,
    book: Annotated[
        bool, typer.Option("--book", help="Settle and return what the bank says, where it agrees.")
    ] = False,
    who: WhoOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a file of the bank against the payouts: settled, returned, missing, unknown, another amount.

    Nothing is booked without --book. Exit code 1 when the bank did not do what it was told.
    """
    from services.rewards.payouts.bank.run import agrees, reconcile_bank
    from services.rewards.payouts.listing import known_run

    async def work(rewards: Rewards) -> BankReport:
        named = None
        if run is not None:
            async with rewards.database.connection() as connection:
                named = (await known_run(connection, run)).id
        entries = _entries(file, format, mapping)
        return await reconcile_bank(rewards.database, rewards.desk, entries, run=named, book=book, who=name_of(who))

    report: BankReport = in_office(data, work)
    if as_json:
        emit_json(report)
    else:
        _print(report, is_booked=book)
    raise typer.Exit(0 if agrees(report) else EXIT_NO)


def _entries(file: Path, format: BankFormat | None, mapping: Path | None) -> Iterator[Entry]:
    """Raises PermanentError when the file cannot be read."""
    from contracts.errors import PermanentError, Problem
    from services.rewards.payouts.bank.camt053 import read_camt053
    from services.rewards.payouts.bank.pain002 import read_pain002
    from services.rewards.payouts.bank.statement_csv import read_csv, read_mapping
    from services.rewards.payouts.bank.xml import kind_of

    if format is None:
        format = BankFormat.CSV if mapping is not None or file.suffix.lower() == ".csv" else BankFormat(kind_of(file))
    if format is BankFormat.CAMT053:
        return read_camt053(file)
    if format is BankFormat.PAIN002:
        return read_pain002(file)
    if mapping is None:
        problem = Problem(
            code="mapping-missing",
            message="every bank's CSV has columns of its own",
            where=str(file),
            help="say with --mapping which is what; examples/bank-statement.yaml shows how",
        )
        raise PermanentError(problem)
    return read_csv(file, read_mapping(mapping))


def _print(report: BankReport, *, is_booked: bool) -> None:
    out.print(f"{report['entries']:,} entries about payouts, {report['others']:,} about something else")
    sums = [
        (
            each["verdict"].replace("_", " "),
            each["payouts"],
            shown(each["minor"], each["currency"]) if each["currency"] else "",
        )
        for each in report["sums"]
    ]
    print_table(("", ">payouts", ">sum"), sums)
    rows = [_row(found) for found in report["matches"] if found.verdict not in ("settled", "agreed", "pending")]
    if rows:
        print_table(("what", "payout", "of", ">ordered", ">the bank says", "where", "why"), rows)
    if is_booked:
        out.print(f"{report['booked']:,} booked")
    elif any(found.verdict in ("settled", "returned") for found in report["matches"]):
        out.print("nothing was booked: --book does it")


def _row(found: Match) -> tuple[str, ...]:
    entry = found.entry
    ordered = "" if found.ordered_minor is None else shown(found.ordered_minor, found.currency)
    said = "" if entry is None or entry.amount_minor is None else shown(entry.amount_minor, entry.currency)
    where = "" if entry is None else entry.where
    return (found.verdict.replace("_", " "), found.payout, found.beneficiary, ordered, said, where, found.why)
