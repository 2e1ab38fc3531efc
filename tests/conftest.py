"""Servers for the whole session: one embedded PostgreSQL, started when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from goodword.embedded.postgres import PostgresServer
from tests.support.postgres import fresh_database


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The session's PostgreSQL. A test that kills it starts it again before it ends."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty database for one test."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def postgres_module_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh, empty database for one module."""
    with fresh_database(postgres_server) as url:
        yield url
