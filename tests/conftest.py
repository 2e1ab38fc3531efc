"""Servers for the whole session: one embedded PostgreSQL and one Valkey, started when the first test asks for them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from goodword.embedded.postgres import PostgresServer
from goodword.embedded.valkey import ValkeyServer
from tests.support.kafka import KafkaServer, KafkaUnavailable, make_kafka
from tests.support.postgres import fresh_database

# The tests start many processes; compiling every module anew in each would take most of the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL. A test that kills it starts it again before it ends."""
    # Not in pytest's own folder: run as root, the server is `nobody`, and any other pytest session that starts takes
    # from everybody but root the right to pass through that folder, which crashes the server.
    with tempfile.TemporaryDirectory(prefix="goodword-test-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder) / "data")
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


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """The session's Valkey. A test that kills it starts it again before it ends."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """An empty Valkey for one test."""
    valkey_server.start()  # A test may have killed it.
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """The session's Kafka, or a skip with the reason. A test that kills it starts it again before it ends."""
    try:
        server = make_kafka()
    except KafkaUnavailable as unavailable:
        pytest.skip(str(unavailable))
    yield server
    server.close()
