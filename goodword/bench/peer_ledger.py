"""The row `ledger-pgledger`: the transfers of `ledger` through the SQL functions of pgledger, beside ours.

pgledger (https://github.com/pgr0ss/pgledger) is a double-entry ledger inside PostgreSQL; a copy of its repository is
given by its folder. It has no ids of its callers, so it drops no repeats, and neither outbox nor chain. Calls carry 100
transfers, from two connections: larger calls were slower, because each transfer writes the hot account's row anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg

from contracts.errors import PermanentError, Problem
from goodword.bench.ledger import PARTNERS, WRITERS
from goodword.bench.report import BenchRow

TRANSFERS: Final = 10_000
CALL: Final = 100
FILES: Final = (
    "vendor/scoville-pgsql-ulid/ulid-to-uuid.sql",
    "vendor/scoville-pgsql-ulid/uuid-to-ulid.sql",
    "pgledger.sql",
)


def run(*, postgres: str, folder: Path, beside: BenchRow) -> BenchRow:
    """The row, measured in an empty database; its raw path is that of `beside`, the row `ledger` of the same run.

    Raises:
        PermanentError: `not-pgledger`: the folder is not a copy of its repository.
    """
    try:
        scripts = [(folder / name).read_text(encoding="utf-8") for name in FILES]
    except OSError as error:
        raise PermanentError(
            Problem(
                code="not-pgledger",
                message=f"{folder} has no {FILES[-1]} with what it needs: {error.strerror}: {error.filename}",
                help="git clone https://github.com/pgr0ss/pgledger, and give its folder",
            )
        ) from error
    with psycopg.connect(postgres, autocommit=True) as connection:
        for script in scripts:
            connection.execute(script.encode())
        cost, *partners = (_account(connection, number) for number in range(PARTNERS + 1))
    calls = list(_calls(cost, partners))
    latencies_s: list[float] = []
    threads = [
        threading.Thread(target=_post, args=(postgres, calls[place::WRITERS], latencies_s)) for place in range(WRITERS)
    ]
    cpu_s, began = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    with psycopg.connect(postgres) as connection:
        row = connection.execute("SELECT count(*) FROM pgledger_transfers").fetchone()
    if row is None or row[0] != TRANSFERS:
        raise RuntimeError(f"pgledger has {row} transfers, not {TRANSFERS}")
    calls_s = sorted(latencies_s)
    return BenchRow(
        name="ledger-pgledger",
        bus="none",
        per_second=TRANSFERS / seconds,
        raw_per_second=beside.raw_per_second,
        ratio=TRANSFERS / seconds / beside.raw_per_second,
        p50_ms=calls_s[len(calls_s) // 2] * 1_000,
        p99_ms=calls_s[len(calls_s) * 99 // 100] * 1_000,
        cpu_ms_per_1000=cpu_s * 1_000_000 / TRANSFERS,
    )


def _account(connection: psycopg.Connection, number: int) -> str:
    row = connection.execute("SELECT id FROM pgledger_create_account(%s, 'USD')", (f"account-{number}",)).fetchone()
    assert row is not None, "it returns the account it makes"
    return str(row[0])


def _calls(cost: str, partners: list[str]) -> Iterator[str]:
    """Each an array of (from, to, amount), as text."""
    for start in range(0, TRANSFERS, CALL):
        rows = (
            f'"({cost},{partners[number % PARTNERS]},{53 + number % 1_000}.70)"'
            for number in range(start, start + CALL)
        )
        yield "{" + ",".join(rows) + "}"


def _post(postgres: str, calls: list[str], latencies_s: list[float]) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        for call in calls:
            began = time.perf_counter()
            connection.execute("SELECT count(*) FROM pgledger_create_transfers(%s::transfer_request[])", (call,))
            latencies_s.append(time.perf_counter() - began)
