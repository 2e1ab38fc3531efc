"""`goodword bench`: every figure of docs/performance.md, each beside the raw path measured in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goodword.terminal import JsonOption, emit_json, print_table, problems_shown, say

if TYPE_CHECKING:
    from goodword.bench.report import BenchRow


class Measured(StrEnum):
    TRACKING = "tracking"
    RULES = "rules"
    BACKTEST = "backtest"
    LEDGER = "ledger"
    BUS = "bus"
    E2E = "e2e"
    LEDGER_READS = "ledger-reads"
    WHOLE = "whole"


ALONE: Final = (Measured.LEDGER_READS, Measured.WHOLE)
"""What makes a whole stack or a large ledger, and has rows of its own."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where a measurement finds fresh, empty servers."""

    kafka: str | None
    postgres: str
    redis: str


def bench(
    paths: Annotated[
        list[Measured] | None,
        typer.Argument(metavar="[PATH…]", help="Which paths. [default: all but `ledger-reads` and `whole`]"),
    ] = None,
    kafka: Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Also on this Kafka.")] = None,
    events: Annotated[
        int | None,
        typer.Option(
            "--events", min=1_000, help="Of e2e, at 1,000 a second; of backtest and whole, as fast as it goes."
        ),
    ] = None,
    pgledger: Annotated[
        Path | None,
        typer.Option("--pgledger", metavar="DIR", help="A copy of pgledger's repository, to measure beside `ledger`."),
    ] = None,
    transfers: Annotated[
        int | None,
        typer.Option(
            "--transfers", min=1_000, help="Of the ledger that `ledger-reads` asks, and that `ledger` posts to."
        ),
    ] = None,
    accounts: Annotated[
        int | None, typer.Option("--accounts", min=100, help="Of its partners. [default: a tenth of its transfers]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure on temporary embedded servers. Takes some minutes; close what else is running."""
    # By itself SIGTERM would end us without stopping the temporary servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    from goodword.bench.machine import AIMS_SET_AT_US, json_loads_us

    say(f"this machine: json.loads of an event in {json_loads_us():.1f} µs ({AIMS_SET_AT_US} where the aims were set)")
    alone = [path for path in paths or () if path in ALONE]
    if paths and alone:
        if len(paths) > 1:
            raise typer.BadParameter(f"`{alone[0].value}` is measured alone", param_hint="PATH")
        with problems_shown():
            if alone[0] is Measured.WHOLE:
                _measure_whole(kafka, events, as_json=as_json)
            else:
                _measure_reads(transfers, accounts, as_json=as_json)
        return
    wanted = paths or [path for path in Measured if path not in ALONE]
    rows: list[BenchRow] = []
    with problems_shown():
        for path in wanted:
            for row in _measure(path, kafka, events, pgledger, transfers):
                rows.append(row)
                if not as_json:
                    say(f"{row.name} on {row.bus}: {row.per_second:,.0f} a second")
    if as_json:
        emit_json(rows)
    else:
        print_table(
            ("name", "bus", ">per second", ">raw", ">ratio", ">p50 ms", ">p99 ms", ">CPU ms per 1,000"),
            [
                (
                    row.name,
                    row.bus,
                    f"{row.per_second:,.0f}",
                    f"{row.raw_per_second:,.0f}",
                    f"{row.ratio:.2f}",
                    f"{row.p50_ms:.2f}",
                    f"{row.p99_ms:.2f}",
                    f"{row.cpu_ms_per_1000:.2f}",
                )
                for row in rows
            ],
        )


def _measure_whole(kafka: str | None, events: int | None, *, as_json: bool) -> None:
    from goodword.bench import whole

    say("importing …", "dim")
    result = asyncio.run(whole.run(kafka=kafka, events=events or whole.EVENTS))
    if as_json:
        emit_json(result)
        return
    say(f"{result.events:,} events in {result.seconds:.1f} s: {result.per_second:,.0f} a second; {result.said}")
    print_table(
        ("process", ">CPU ms per 1,000", ">MiB, first third", ">middle", ">last"),
        [
            (
                row.process,
                f"{row.cpu_ms_per_1000:.1f}",
                f"{row.mib_first_third:.0f}",
                f"{row.mib_second_third:.0f}",
                f"{row.mib_last_third:.0f}",
            )
            for row in result.processes
        ],
    )


def _measure_reads(transfers: int | None, accounts: int | None, *, as_json: bool) -> None:
    from goodword.bench import ledger_reads

    count = transfers or ledger_reads.TRANSFERS
    rows = []
    with _servers(None) as servers:
        for row in ledger_reads.run(
            postgres=servers.postgres,
            transfers=count,
            accounts=accounts or count // 10,
            say=lambda text: say(text, "dim"),
        ):
            rows.append(row)
            say(f"{row.question}: {row.p50_ms:,.0f} ms", "dim")
    if as_json:
        emit_json(rows)
    else:
        cells = [(row.question, row.times, f"{row.p50_ms:,.1f}", f"{row.max_ms:,.1f}") for row in rows]
        print_table(("question", ">times", ">p50 ms", ">max ms"), cells)


def _measure(
    path: Measured, kafka: str | None, events: int | None, pgledger: Path | None, transfers: int | None
) -> Iterator[BenchRow]:
    say(f"measuring {path.value} …", "dim")
    if path is Measured.E2E:
        from goodword.bench import e2e

        for bus in dict.fromkeys((None, kafka)):
            yield from asyncio.run(e2e.run(kafka=bus, events=events or e2e.EVENTS))
        return
    if path is Measured.RULES:
        from goodword.bench import rules

        yield from asyncio.run(rules.run())
    if path is Measured.BACKTEST:
        from goodword.bench import backtest

        with _servers(None) as servers:
            yield from backtest.measure(postgres=servers.postgres, events=events or backtest.EVENTS)
        return
    if path is Measured.LEDGER:
        from goodword.bench import ledger

        with _servers(None) as servers:
            rows = asyncio.run(ledger.run(postgres=servers.postgres, filled=transfers or 0))
        yield from rows
        if pgledger is not None:
            from goodword.bench import peer_ledger

            with _servers(None) as servers:
                yield peer_ledger.run(postgres=servers.postgres, folder=pgledger, beside=rows[0])
        return
    for bus in dict.fromkeys((None, kafka)):
        with _servers(bus) as servers:
            yield from asyncio.run(_on_bus(path, servers))


async def _on_bus(path: Measured, servers: Servers) -> list[BenchRow]:
    if path is Measured.BUS:
        from goodword.bench import bus

        return await bus.run(kafka=servers.kafka, postgres=servers.postgres)
    if path is Measured.TRACKING:
        from goodword.bench import tracking

        return await tracking.run(kafka=servers.kafka, postgres=servers.postgres, redis=servers.redis)
    from goodword.bench import rules_service

    return await rules_service.run(kafka=servers.kafka, postgres=servers.postgres, redis=servers.redis)


@contextlib.contextmanager
def _servers(kafka: str | None) -> Iterator[Servers]:
    """Embedded servers on a temporary folder, gone in the end."""
    from goodword.embedded.postgres import PostgresServer
    from goodword.embedded.valkey import ValkeyServer

    folder = Path(tempfile.mkdtemp(prefix="goodword-bench-"))
    postgres, valkey = PostgresServer(folder / "postgres"), ValkeyServer(folder / "valkey")
    try:
        postgres.start()
        valkey.start()
        yield Servers(kafka, postgres.ensure_database("bench"), valkey.url)
    finally:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)
