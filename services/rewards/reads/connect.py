"""One moment of the ledger to read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]
Source = str | Connection
"""The URL of the database, or a connection that `open_ledger` gave."""
Cursor = psycopg.Cursor[dict[str, Any]]


@contextmanager
def open_ledger(postgres: str) -> Iterator[Connection]:
    """A read-only connection that sees one moment of the ledger, the one of its first question."""
    with psycopg.connect(postgres, application_name="goodword-ledger-reads", connect_timeout=5) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        # A plan for any instants would be one for none: how much lies between two decides.
        connection.prepare_threshold = None
        # Compiling what reads dozens of partitions takes longer than running it.
        connection.execute("SET jit = off")
        # Enough for the sums of a million balances.
        connection.execute("SET work_mem = '64MB'")
        yield connection


@contextmanager
def reading(source: Source) -> Iterator[Cursor]:
    """A cursor of dictionaries on either."""
    if isinstance(source, str):
        with open_ledger(source) as connection, reading(connection) as cursor:
            yield cursor
    else:
        with source.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            yield cursor
