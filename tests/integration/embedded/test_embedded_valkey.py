from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from goodword.embedded.failure import ServerFailed
from goodword.embedded.valkey import ValkeyServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "valkey")
    yield server
    server.stop()


def test_a_confirmed_write_survives_kill_minus_9_and_the_url_stays(server: ValkeyServer) -> None:
    server.start()
    url = server.url
    with redis.Redis.from_url(url) as client:
        client.set("kept", "42")
    server.kill()
    assert not server.is_running
    server.start()
    assert server.url == url
    with redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"42"


def test_half_a_command_at_the_end_of_the_file_is_dropped_and_the_rest_kept(server: ValkeyServer) -> None:
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "42")
    server.kill()
    (incremental,) = (server.data_dir / "appendonlydir").glob("*.incr.aof")
    with incremental.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.keys() == [b"kept"]


def test_a_second_valkey_start_adopts_the_running_one_and_stop_ends_it(server: ValkeyServer) -> None:
    server.start()
    other = ValkeyServer(server.data_dir)
    other.start()
    assert other.pid == server.pid
    assert other.url == server.url
    other.stop()
    assert not server.is_running


def test_a_taken_valkey_port_is_named_with_its_process(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerFailed) as failure:
            ValkeyServer(tmp_path / "valkey", port=port).start()
    assert failure.value.problem.code == "port-taken"
    assert str(port) in failure.value.problem.message
    assert "process" in failure.value.problem.message


def test_a_stranger_without_the_valkey_password_is_refused(server: ValkeyServer) -> None:
    server.start()
    with redis.Redis(port=server.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
