from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from goodword.embedded.failure import ServerFailed
from goodword.embedded.postgres import PostgresServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path / "pg")
    yield server
    server.stop()


def test_a_committed_row_survives_kill_minus_9_and_the_port_stays(server: PostgresServer) -> None:
    server.start()
    url = server.ensure_database("money")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
        server.kill()
        assert not server.is_running
    server.start()
    assert server.ensure_database("money") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(42,)]


def test_a_second_start_adopts_the_running_server_and_stop_ends_it(server: PostgresServer) -> None:
    server.start()
    other = PostgresServer(server.data_dir)
    other.start()
    assert other.pid == server.pid
    assert other.url == server.url
    other.stop()
    assert not server.is_running


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerFailed) as failure:
            PostgresServer(tmp_path / "pg", port=port).start()
    assert failure.value.problem.code == "port-taken"
    assert str(port) in failure.value.problem.message


def test_a_stranger_without_the_password_is_refused(server: PostgresServer) -> None:
    server.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{server.port}/postgres")


def test_a_backend_that_outlives_its_killed_postmaster_does_not_stop_the_next_start(server: PostgresServer) -> None:
    server.start()
    postmaster = server.pid
    assert postmaster is not None
    connection = psycopg.connect(server.url, autocommit=True)
    with contextlib.closing(connection):
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (42)")
        # Busy, so it does not notice; nobody waits for the answer.
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000)")
        assert connection.pgconn.flush() == 0
        os.kill(postmaster, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while server.is_running:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        PostgresServer(server.data_dir).start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(42,)]
