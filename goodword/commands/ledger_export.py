"""`goodword ledger export`: the journal for a general ledger, as CSV or Parquet."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goodword.terminal import DataOption, JsonOption, emit_json, err, out, print_table, problems_shown

if TYPE_CHECKING:
    from goodword.amounts import Amounts
    from services.rewards.journal.manifest import Manifest


class FormatName(StrEnum):
    """Kinds of files."""

    CSV = "csv"
    PARQUET = "parquet"


class ByName(StrEnum):
    """What one file holds."""

    DAY = "day"
    MONTH = "month"


def export(
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go, or go on.")],
    format: Annotated[FormatName, typer.Option("--format", help="Parquet needs pyarrow: make parquet.")] = (
        FormatName.CSV
    ),
    by: Annotated[ByName, typer.Option("--by", help="One file per day or per month.")] = ByName.DAY,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], metavar="DAY", help="Booked from this day on (UTC). [default: the first]"
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            formats=["%Y-%m-%d"],
            metavar="DAY",
            help="Booked before this day (UTC); periods that are not over are exported as open."
            " [default: up to the last closed one]",
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="CHART.yaml", help="Accounts of your general ledger, by patterns of ours."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the journal: two lines a transfer, a file per day or month, and manifest.json with counts, sums and hashes.

    Run it again to go on: after an interruption, or for the days that have closed since. A closed period is the same,
    byte for byte, whenever it is exported.
    """
    from rich.progress import Progress as Bars

    from goodword.amounts import amounts_now
    from goodword.target import find_target
    from services.rewards.journal.chart_file import read_chart
    from services.rewards.journal.export import Wanted
    from services.rewards.journal.export import export as export_journal
    from services.rewards.journal.gl_chart import GlChart

    with problems_shown():
        postgres = find_target(data).postgres
        chart, sha256 = (GlChart(), "") if mapping is None else read_chart(mapping)
        amounts = amounts_now(postgres, ever=True)
        wanted = Wanted(
            folder=folder,
            format=format.value,
            by=by.value,
            start=None if start is None else start.date(),
            end=None if end is None else end.date(),
            chart=chart,
            chart_sha256=sha256,
            decimals_of=amounts.decimals_of,
        )
        with Bars(console=err, disable=not err.is_terminal) as bars:
            task = bars.add_task("transfers")
            manifest = export_journal(
                postgres,
                wanted,
                now=datetime.now(UTC),
                progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
    if as_json:
        emit_json(manifest)
    else:
        _print(manifest, folder, amounts)


def _print(manifest: Manifest, folder: Path, amounts: Amounts) -> None:
    transfers = sum(file.transfers for file in manifest.files)
    out.print(
        f"{len(manifest.files):,} files with {transfers:,} transfers in {folder}, all booked before {manifest.until}"
    )
    rows = [
        (each.unit, each.lines, amounts.show(each.debit_minor, each.unit), amounts.show(each.credit_minor, each.unit))
        for each in manifest.sums
    ]
    print_table(("unit", ">lines", ">debits", ">credits"), rows)
    for file in manifest.files:
        if not file.is_closed:
            out.print(f"{file.name} is of a period that is not over: the next export writes it anew")
