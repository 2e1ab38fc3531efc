"""`goodword ledger export`: the journal of days or months as files, with a manifest of counts, sums and hashes.

Promises:
- A closed period makes the same bytes whoever exports it and when: lines are in the order of booking, then of ids.
- An export that was stopped at any moment goes on where it was, and ends with the same files and the same manifest.
- Memory is flat: the server sorts, and a file is written some thousand lines at a time.
- Nothing that was exported as closed changes unnoticed: not in the files (their hashes), not in the ledger (its sums).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Final, Literal, LiteralString

from contracts.errors import PermanentError, Problem
from services.rewards.journal.csv_file import SUFFIX as CSV_SUFFIX
from services.rewards.journal.csv_file import CsvFile
from services.rewards.journal.gl_chart import GlChart
from services.rewards.journal.lines import Booked, DecimalsOf, Line, lines_of
from services.rewards.journal.manifest import (
    File,
    Manifest,
    Sum,
    check_files,
    read_manifest,
    settle,
    sha256_of,
    write_manifest,
)
from services.rewards.journal.parquet_file import SUFFIX as PARQUET_SUFFIX
from services.rewards.journal.parquet_file import ParquetFile, check_parquet
from services.rewards.journal.periods import By, after, first_of, is_closed, last_closed, midnight, name_of, periods
from services.rewards.reads.connect import Connection, open_ledger

Format = Literal["csv", "parquet"]
Progress = Callable[[int, int], None]
"""Told how many transfers are written, and how many there are to write."""

FETCH_ROWS: Final = 5_000
_KINDS: Final[dict[Format, tuple[str, type[CsvFile | ParquetFile]]]] = {
    "csv": (CSV_SUFFIX, CsvFile),
    "parquet": (PARQUET_SUFFIX, ParquetFile),
}
_FIRST: Final[LiteralString] = "SELECT min(posted_at) FROM rewards.transfers"
_ACCOUNTS: Final[LiteralString] = (
    "SELECT a.address, b.unit FROM rewards.balances b JOIN rewards.accounts a ON a.id = b.account_id"
)
_SUMS: Final[LiteralString] = (
    "SELECT (posted_at AT TIME ZONE 'UTC')::date, unit, count(*), sum(amount_minor)"
    " FROM rewards.transfers WHERE posted_at >= %s AND posted_at < %s GROUP BY 1, 2"
)
_TRANSFERS: Final[LiteralString] = (
    "SELECT t.posted_at, coalesce(t.news_at, t.event_at), t.group_id::text, t.id::text, d.address, c.address,"
    " t.amount_minor, t.unit, t.programme, t.partner, t.customer, t.deal, t.lead, t.stage, t.rule, t.revision,"
    " t.decision_id::text, t.event_source, t.event_id, t.takes_back::text, t.reason, t.booked_by"
    " FROM rewards.transfers t"
    " JOIN rewards.accounts d ON d.id = t.debit_id JOIN rewards.accounts c ON c.id = t.credit_id"
    " WHERE t.posted_at >= %s AND t.posted_at < %s ORDER BY t.posted_at, t.id"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export.

    Attributes:
        start: The first day; None is where the export in the folder began, else the day of the first transfer.
        end: The first day not to export; None is up to the last closed period. A later one exports open periods too.
        chart_sha256: Of the mapping's file.
    """

    folder: Path
    format: Format
    by: By
    start: date | None
    end: date | None
    chart: GlChart
    chart_sha256: str
    decimals_of: DecimalsOf


def export(postgres: str, wanted: Wanted, *, now: datetime, progress: Progress = lambda done, total: None) -> Manifest:
    """Export, or go on with an export; returns its manifest.

    Raises:
        PermanentError: `another-export`, `file-altered`, `closed-period-changed`, `account-not-mapped`,
            `not-a-period`, `pyarrow-missing`.
        psycopg.Error: The database is away; start again.
    """
    if wanted.format == "parquet":
        check_parquet()
    with open_ledger(postgres) as ledger:
        ledger.execute("SET LOCAL cursor_tuple_fraction = 1.0")
        ledger.execute("SET LOCAL work_mem = '64MB'")
        ledger.execute("SET LOCAL timezone = 'UTC'")
        manifest = _begin(ledger, wanted, now)
        # What is exported already is not taken back.
        end = max(wanted.end or last_closed(wanted.by, now), date.fromisoformat(manifest.until))
        _check_edges(wanted, date.fromisoformat(manifest.start), end)
        with ledger.cursor() as cursor:
            wanted.chart.check(cursor.execute(_ACCOUNTS).fetchall())
        sums = _sums(ledger, wanted.by, date.fromisoformat(manifest.start), end)
        _check_unchanged(manifest, sums, wanted)
        return _write_all(ledger, wanted, manifest, end, now, progress, sums)


def _begin(ledger: Connection, wanted: Wanted, now: datetime) -> Manifest:
    """The manifest to go on with: what is in the folder but for open periods, or an empty one."""
    wanted.folder.mkdir(parents=True, exist_ok=True)
    found = read_manifest(wanted.folder)
    if found is None:
        start = wanted.start or first_of(wanted.by, _first_day(ledger, now))
        return _empty(wanted, start)
    own = _empty(wanted, wanted.start or date.fromisoformat(found.start))
    for name in ("format", "by", "start", "chart_sha256", "columns"):
        if getattr(found, name) != getattr(own, name):
            raise PermanentError(
                Problem(
                    code="another-export",
                    message=f"the folder holds an export with another {name}: {getattr(found, name)!r}",
                    where=str(wanted.folder),
                    help="name another folder with --out",
                )
            )
    check_files(wanted.folder, found)
    found.files = [file for file in found.files if file.is_closed]
    return found


def _empty(wanted: Wanted, start: date) -> Manifest:
    return Manifest(
        format=wanted.format,
        by=wanted.by,
        start=start.isoformat(),
        until=start.isoformat(),
        chart_sha256=wanted.chart_sha256,
        columns=list(Line._fields),
        files=[],
        sums=[],
    )


def _first_day(ledger: Connection, now: datetime) -> date:
    with ledger.cursor() as cursor:
        row = cursor.execute(_FIRST).fetchone()
    return row[0].date() if row and row[0] else now.date()


def _check_edges(wanted: Wanted, start: date, end: date) -> None:
    for day in (start, end):
        if first_of(wanted.by, day) != day:
            raise PermanentError(
                Problem(
                    code="not-a-period",
                    message=f"{day} is not the first day of a {wanted.by}",
                    help="with --by month, --from and --to are first days of months",
                )
            )


_Sums = dict[str, dict[str, tuple[int, int]]]
"""Period to unit to transfers and their sum."""


def _sums(ledger: Connection, by: By, start: date, end: date) -> _Sums:
    found: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    with ledger.cursor() as cursor:
        for day, unit, count, minor in cursor.execute(_SUMS, (midnight(start), midnight(end))):
            name = name_of(by, first_of(by, day))
            before = found[name].get(unit, (0, 0))
            found[name][unit] = (before[0] + count, before[1] + int(minor))
    return dict(found)


def _check_unchanged(manifest: Manifest, sums: _Sums, wanted: Wanted) -> None:
    """What was exported as closed is what the ledger has."""
    until = date.fromisoformat(manifest.until)
    exported = {
        file.period: {one.unit: (one.lines // 2, one.debit_minor) for one in file.sums} for file in manifest.files
    }
    for first, _ in periods(wanted.by, date.fromisoformat(manifest.start), until):
        name = name_of(wanted.by, first)
        if exported.get(name, {}) != sums.get(name, {}):
            raise PermanentError(
                Problem(
                    code="closed-period-changed",
                    message=f"{name} was exported as closed with {exported.get(name, {})} (transfers and their sum by"
                    f" unit), and the ledger now has {sums.get(name, {})}",
                    where=str(wanted.folder),
                    help="`goodword ledger verify` says whether the ledger was altered; export into another folder",
                )
            )


def _write_all(
    ledger: Connection, wanted: Wanted, manifest: Manifest, end: date, now: datetime, progress: Progress, sums: _Sums
) -> Manifest:
    start = date.fromisoformat(manifest.until)
    done, total = 0, sum(count for name in sums for count, _ in sums[name].values())
    done += sum(file.transfers for file in manifest.files)
    write_manifest(wanted.folder, manifest)
    for first, booked in _by_period(ledger, wanted.by, start, end):
        following = after(wanted.by, first)

        def told(count: int, before: int = done) -> None:
            progress(before + count, total)

        file = _write_file(wanted, first, booked, is_closed=is_closed(following, now), told=told)
        done += file.transfers
        manifest.files.append(file)
        if file.is_closed:
            manifest.until = following.isoformat()
        write_manifest(wanted.folder, manifest)
    manifest.until = max(manifest.until, min(end, last_closed(wanted.by, now)).isoformat())
    write_manifest(wanted.folder, manifest)
    progress(total, total)
    return manifest


def _by_period(ledger: Connection, by: By, start: date, end: date) -> Iterator[tuple[date, Iterator[Booked]]]:
    """First days of periods with their transfers; periods without any are left out."""
    with ledger.cursor(name="export") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(_TRANSFERS, (midnight(start), midnight(end)))
        rows: Iterable[Booked] = (Booked(*row) for row in cursor)
        yield from groupby(rows, key=lambda booked: first_of(by, booked.booked_at.date()))


def _write_file(
    wanted: Wanted, first: date, booked: Iterator[Booked], *, is_closed: bool, told: Callable[[int], None]
) -> File:
    """One file, whole or not at all under its name."""
    suffix, kind = _KINDS[wanted.format]
    period = name_of(wanted.by, first)
    path = wanted.folder / f"journal-{period}{suffix}"
    part = path.with_name(f"{path.name}.part")
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    transfers = 0
    with kind(part) as file:
        while batch := list(islice(booked, FETCH_ROWS)):
            lines = [line for one in batch for line in lines_of(one, wanted.chart, wanted.decimals_of)]
            file.write(lines)
            for line in lines:
                of_unit = sums[line.unit]
                of_unit[0] += 1
                of_unit[1 if line.side == "debit" else 2] += line.amount_minor
            transfers += len(batch)
            told(transfers)
    found = File(
        name=path.name,
        period=period,
        is_closed=is_closed,
        transfers=transfers,
        lines=2 * transfers,
        sums=[
            Sum(unit=unit, lines=lines_, debit_minor=debit, credit_minor=credit)
            for unit, (lines_, debit, credit) in sorted(sums.items())
        ],
        bytes=part.stat().st_size,
        sha256=sha256_of(part),
    )
    settle(part, path)
    return found
