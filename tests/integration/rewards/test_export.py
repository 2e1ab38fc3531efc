"""The journal: both sides of every transfer, the same bytes however it was made, and no change unnoticed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from contracts.errors import PermanentError
from goodword.cli import app
from runtime.database import Database
from services.rewards.journal.chart_file import read_chart
from services.rewards.journal.export import Wanted, export
from services.rewards.journal.gl_chart import GlChart
from services.rewards.journal.manifest import Manifest
from tests.support.decisions import TIME_MS, decided
from tests.support.ledger import deliver

DAY_MS = 86_400_000
LATER = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHART = Path(__file__).resolve().parents[3] / "examples/chart-of-accounts.yaml"
DECIMALS = {"USD": 2, "JPY": 0, "KWD": 3}


async def book(database: Database, *, days: int = 4, of_a_day: int = 3) -> None:
    """Some transfers on every other day; among them names that are formulas."""
    for day in range(0, 2 * days, 2):
        units = ["USD", "JPY", "KWD"]
        made = [
            decided(
                1_000 * day + n,
                unit=units[n % 3],
                amount_minor=1_234 + n,
                customer="=cmd|' /C calc'!A0" if n == 0 else "cancity",
                event_id=f"-{day}-{n}",
                rule="commission",
            )
            for n in range(of_a_day)
        ]
        await deliver(database, *made, at_ms=TIME_MS + day * DAY_MS + 1_000)


def wanted(folder: Path, **fields: Any) -> Wanted:
    known: dict[str, Any] = {
        "format": "csv",
        "by": "day",
        "start": None,
        "end": None,
        "chart": GlChart(),
        "chart_sha256": "",
        "decimals_of": DECIMALS.__getitem__,
    }
    return Wanted(folder=folder, **(known | fields))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".part"}


def rows_of(folder: Path) -> list[dict[str, str]]:
    rows = []
    for path in sorted(folder.glob("journal-*.csv")):
        with path.open(newline="") as file:
            rows += list(csv.DictReader(file))
    return rows


async def test_both_sides_of_every_transfer_are_written_and_debits_are_credits(
    database: Database, ledger_url: str, tmp_path: Path
) -> None:
    await book(database)
    chart, sha256 = read_chart(CHART)
    manifest = export(ledger_url, wanted(tmp_path, chart=chart, chart_sha256=sha256), now=LATER)
    rows = rows_of(tmp_path)
    assert [file.name for file in manifest.files] == [f"journal-2026-01-0{day}.csv" for day in (1, 3, 5, 7)]
    assert (manifest.start, manifest.until) == ("2026-01-01", "2026-03-01")
    assert len(rows) == 24 == sum(file.lines for file in manifest.files)
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        sums[row["unit"], row["side"]] += int(row["amount_minor"])
        assert Decimal(row["amount"]) * 10 ** DECIMALS[row["unit"]] == int(row["amount_minor"])
    for each in manifest.sums:
        assert each.debit_minor == each.credit_minor == sums[each.unit, "debit"] == sums[each.unit, "credit"]
    first, second = rows[:2]
    assert (first["side"], first["gl_account"], first["gl_name"]) == ("debit", "6110", "Partner commissions")
    assert (second["side"], second["gl_account"], second["booked_on"]) == ("credit", "2420", "2026-01-01")
    assert first["customer"] == "'=cmd|' /C calc'!A0"
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())
    with psycopg.connect(ledger_url) as connection:
        count = connection.execute("SELECT count(*) FROM rewards.transfers").fetchone()
    assert count == (12,)


class Killed(BaseException):
    """The process is gone: nothing may catch it."""


@pytest.mark.parametrize("format", ["csv", "parquet"])
async def test_an_export_stopped_at_any_step_goes_on_to_the_same_bytes(
    format: str, database: Database, ledger_url: str, tmp_path: Path
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow")
    await book(database)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    export(ledger_url, wanted(whole, format=format), now=LATER)
    told = 0

    def stop_at(step: int) -> Any:
        def progress(done: int, total: int) -> None:
            nonlocal told
            told += 1
            if told == step:
                raise Killed

        return progress

    for step in (1, 2, 1, 2, 1):
        told = 0
        with pytest.raises(Killed):
            export(ledger_url, wanted(parts, format=format), now=LATER, progress=stop_at(step))
    export(ledger_url, wanted(parts, format=format), now=LATER)
    assert bytes_of(parts) == bytes_of(whole)
    export(ledger_url, wanted(parts, format=format), now=LATER)
    assert bytes_of(parts) == bytes_of(whole)


async def test_an_open_period_is_written_anew_until_it_closes(
    database: Database, ledger_url: str, tmp_path: Path
) -> None:
    await book(database, days=1)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    none = export(ledger_url, wanted(tmp_path), now=noon)
    assert (none.files, none.until) == ([], "2026-01-01")
    opened = export(ledger_url, wanted(tmp_path, end=date(2026, 1, 2)), now=noon)
    assert [(file.is_closed, file.transfers) for file in opened.files] == [(False, 3)]
    await deliver(database, decided(50), at_ms=TIME_MS + 13 * 3_600_000)
    closed = export(ledger_url, wanted(tmp_path), now=noon + timedelta(days=1))
    assert [(file.is_closed, file.transfers) for file in closed.files] == [(True, 4)]
    of_month = export(ledger_url, wanted(tmp_path / "months", by="month"), now=LATER)
    assert [(file.name, file.transfers) for file in of_month.files] == [("journal-2026-01.csv", 4)]
    with pytest.raises(PermanentError, match="not the first day of a month"):
        export(ledger_url, wanted(tmp_path / "other", by="month", end=date(2026, 1, 15)), now=LATER)


async def test_nothing_that_was_exported_as_closed_changes_unnoticed(
    database: Database, ledger_url: str, tmp_path: Path
) -> None:
    await book(database, days=2)
    export(ledger_url, wanted(tmp_path), now=LATER)
    with pytest.raises(PermanentError, match="another by"):
        export(ledger_url, wanted(tmp_path, by="month"), now=LATER)
    with pytest.raises(PermanentError, match="another chart"):
        export(ledger_url, wanted(tmp_path, chart_sha256="other"), now=LATER)
    await deliver(database, decided(90), at_ms=TIME_MS + 5_000)
    with pytest.raises(PermanentError, match="2026-01-01 was exported as closed"):
        export(ledger_url, wanted(tmp_path), now=LATER)
    file = tmp_path / "journal-2026-01-03.csv"
    file.write_bytes(file.read_bytes().replace(b"1234", b"9234"))
    with pytest.raises(PermanentError, match="not as the export wrote it"):
        export(ledger_url, wanted(tmp_path), now=LATER)


async def test_parquet_has_the_same_lines_with_exact_amounts(
    database: Database, ledger_url: str, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    await book(database)
    export(ledger_url, wanted(tmp_path / "csv"), now=LATER)
    manifest = export(ledger_url, wanted(tmp_path / "parquet", format="parquet"), now=LATER)
    table = pq.read_table([tmp_path / "parquet" / file.name for file in manifest.files])
    assert str(table.schema.field("amount").type) == "decimal128(38, 6)"
    assert str(table.schema.field("amount_minor").type) == "int64"
    assert "float" not in str(table.schema)
    found = table.to_pylist()
    written = rows_of(tmp_path / "csv")
    assert [(row["transfer"], row["side"], row["amount"]) for row in found] == [
        (row["transfer"], row["side"], Decimal(row["amount"])) for row in written
    ]
    # Nothing reads Parquet as a formula, so nothing is changed there.
    assert found[0]["customer"] == "=cmd|' /C calc'!A0"


async def test_kill_9_in_the_middle_and_again_makes_the_same_bytes(
    database: Database, ledger_url: str, tmp_path: Path
) -> None:
    await book(database, days=8, of_a_day=300)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    end = date(2026, 2, 1)
    export(ledger_url, wanted(whole, end=end), now=LATER)
    export_and_kill(ledger_url, killed, end)
    manifest = export(ledger_url, wanted(killed, end=end), now=LATER)
    assert bytes_of(killed) == bytes_of(whole)
    assert sum(file.transfers for file in manifest.files) == 2_400


def export_and_kill(url: str, folder: Path, end: date) -> None:
    """The command, killed when its first file is there."""
    words = [sys.executable, "-m", "goodword", "ledger", "export", "--to", end.isoformat(), "--out", str(folder)]
    environment = os.environ | {"GOODWORD_POSTGRES": url, "GOODWORD_DATA": ""}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(folder.glob("journal-*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(folder.glob("journal-*"))


# Commands run an event loop of their own.
def test_the_command_says_what_is_there_and_what_is_wrong(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOODWORD_POSTGRES", ledger_url)
    monkeypatch.delenv("GOODWORD_DATA", raising=False)
    folder = tmp_path / "journal"
    words = ["ledger", "export", "--out", str(folder), "--from", "2026-01-01", "--mapping", str(CHART)]
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["start"] == "2026-01-01"
    assert "0 files with 0 transfers" in CliRunner().invoke(app, words).output
    told = CliRunner().invoke(app, ["ledger", "export", "--out", str(folder), "--format", "parquet"])
    assert (told.exit_code, "another-export" in told.output) == (1, True)
    told = CliRunner().invoke(app, ["ledger", "export", "--out", str(tmp_path / "x"), "--mapping", str(tmp_path)])
    assert (told.exit_code, "bad-chart" in told.output) == (1, True)


def test_a_manifest_of_another_time_is_refused(ledger_url: str, tmp_path: Path) -> None:
    assert "format_version" in Manifest.__struct_fields__
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(PermanentError, match="not a manifest"):
        export(ledger_url, wanted(tmp_path), now=LATER)
