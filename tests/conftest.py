"""One seed and one folder per run; one embedded PostgreSQL, Valkey and Kafka per worker, when the first test asks."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from goodword.embedded.postgres import PostgresServer
from goodword.embedded.valkey import ValkeyServer
from tests.support import shares
from tests.support.kafka import KafkaServer, kafka_or_skip, make_kafka
from tests.support.postgres import fresh_database

SEED_VARIABLE = "GOODWORD_SEED"
OWN_FOLDER = pytest.StashKey[Path]()

# The tests start many processes; compiling every module anew in each would take most of the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """One seed and one folder for a run and all its workers.

    Run as root, an embedded PostgreSQL is `nobody`, and any other pytest session that starts takes from everybody but
    root the right to pass through pytest's usual folder, which crashes the server: a run has a folder of its own.
    """
    config.pluginmanager.register(shares)
    if hasattr(config, "workerinput"):
        return
    if os.environ.get(SEED_VARIABLE, "0") == "0":
        os.environ[SEED_VARIABLE] = str(random.randrange(1, 1_000_000))
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="goodword-test-")
        config.stash[OWN_FOLDER] = Path(config.option.basetemp)


def pytest_report_header() -> str:
    return f"seed: {SEED_VARIABLE}={os.environ[SEED_VARIABLE]} repeats the random choices of this run"


@pytest.hookimpl(trylast=True)  # After the fixtures: their servers live in it.
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What a failed run leaves in its folder may be looked at; a passed one leaves nothing."""
    folder = session.config.stash.get(OWN_FOLDER, None)
    if folder is not None and exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def seed() -> int:
    """For everything random in tests; it is printed on top of the run, and GOODWORD_SEED repeats it."""
    return int(os.environ[SEED_VARIABLE])


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
    with kafka_or_skip(make_kafka) as server:
        yield server
