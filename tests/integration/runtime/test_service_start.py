"""How a service starts when its database is away or refuses it; with the real process and server."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from goodword.embedded.ports import free_port
from goodword.embedded.postgres import PostgresServer

DEADLINE_S = 60.0


class Notify:
    """A `goodword serve notify` with the log in PostgreSQL; it needs nothing else to become ready."""

    def __init__(self, postgres: str, folder: Path) -> None:
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self._log = folder / "notify.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GOODWORD_")}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "goodword", "serve", "notify"],
                env=clean | {"GOODWORD_POSTGRES": postgres, "GOODWORD_PORT": str(port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def readiness(self) -> Mapping[str, Any]:
        with contextlib.suppress(httpx.TransportError):
            body: Mapping[str, Any] = httpx.get(f"{self._url}/readyz", timeout=10).json()
            return body
        return {"status": "no answer", "checks": {"started": "no answer"}}

    def until(self, holds: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self._log.read_text()[-3000:]
            body = self.readiness()
            if holds(body):
                return body
            time.sleep(0.05)
        raise AssertionError(f"last said: {body}; log: {self._log.read_text()[-3000:]}")

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[str], Notify]]:
    running: list[Notify] = []

    def start(postgres: str) -> Notify:
        running.append(Notify(postgres, tmp_path))
        return running[-1]

    yield start
    for one in running:
        one.close()


def test_a_database_that_is_away_is_waited_for_and_readyz_says_so(
    started: Callable[[str], Notify], postgres_server: PostgresServer, postgres_url: str
) -> None:
    postgres_server.kill()
    service = started(postgres_url)
    body = service.until(lambda body: body["checks"]["started"].startswith("waiting for"))
    assert body["status"] == "not ready"
    assert "bus and schema" in body["checks"]["started"]
    assert "onnection" in body["checks"]["started"]
    postgres_server.start()
    service.until(lambda body: body["status"] == "ready")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
        ({"sslmode": "require"}, "does not support SSL"),
    ],
)
def test_a_server_that_refuses_us_ends_the_start_at_once_with_its_reason(
    started: Callable[[str], Notify], postgres_url: str, change: dict[str, str], words: str
) -> None:
    service = started(psycopg.conninfo.make_conninfo(postgres_url, **change))
    assert service.process.wait(DEADLINE_S) == 1
    (told,) = [entry for entry in service.entries() if entry["event"] == "service could not start"]
    assert words in told["reason"]
    assert "GOODWORD_POSTGRES" in told["reason"]
    assert not [entry for entry in service.entries() if entry["event"] == "starting again"]
