"""A fresh database per test on the session's one embedded PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from goodword.embedded.postgres import PostgresServer


@contextmanager
def fresh_database(server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty database that is dropped in the end, whoever is still connected to it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = server.ensure_database(name)
    try:
        yield url
    finally:
        server.start()  # A test may have killed it.
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
