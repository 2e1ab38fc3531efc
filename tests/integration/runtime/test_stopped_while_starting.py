"""SIGTERM ends a service at whatever moment of its start it comes, with the real processes and servers.

Most of the moments are drawn from the seed; the others are those in which a start waits for somebody else. Before a
service has begun to listen to signals, one simply ends it, as any process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import os
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from goodword.embedded.ports import free_port
from tests.integration.rules.harness import eventually
from tests.support.kafka import KafkaServer

SERVICES = ("tracking", "rules", "rewards", "notify")
MOMENTS_S = (0.0, 2.5)
"""After it has begun to listen to signals; a start is over within this on a machine that has nothing else to do."""
LISTENS = "Started server process"
STOP_S_MAX = 45.0
"""Far more than it takes, and less than a thread that waits for ever."""

pytestmark = pytest.mark.timeout(240)

_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload([f"services.{service}.app" for service in SERVICES])


def _serve(service: str, environment: dict[str, str], log_file: str) -> None:
    os.environ.update(environment)
    with Path(log_file).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.exit(asyncio.run(importlib.import_module(f"services.{service}.app").run()))


class Starting:
    """A service that is starting, in a process of its own."""

    def __init__(self, service: str, log_file: Path, **environment: str) -> None:
        self.service = service
        self._log_file = log_file
        environment = {"GOODWORD_PORT": str(free_port()), "GOODWORD_ADMIN_KEY": "secret", **environment}
        self.process = _forkserver.Process(target=_serve, args=(service, environment, str(log_file)))
        self.process.start()

    def words(self) -> str:
        return self._log_file.read_text() if self._log_file.exists() else ""

    async def stopped_after(self, wait_s: float) -> None:
        """So long after it listens."""
        await eventually(lambda: LISTENS in self.words())
        await asyncio.sleep(wait_s)
        await self.stopped()

    async def stopped(self) -> None:
        self.process.terminate()
        await asyncio.to_thread(self.process.join, STOP_S_MAX)
        assert self.process.exitcode == 0, f"{self.service}: {self.words()[-3_000:]}"

    def close(self) -> None:
        self.process.kill()
        self.process.join()


Start = Callable[..., Starting]


@pytest.fixture
def start(postgres_url: str, valkey_url: str, tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:
        counted = iter(range(1_000))

        def started(service: str, **environment: str) -> Starting:
            log_file = tmp_path / f"{service}-{next(counted)}.log"
            servers = {"GOODWORD_POSTGRES": postgres_url, "GOODWORD_REDIS": valkey_url}
            made = Starting(service, log_file, **servers | environment)
            stack.callback(made.close)
            return made

        yield started


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as taken:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.enter_context(server.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("bus", ["postgres", pytest.param("kafka", marks=pytest.mark.kafka)])
async def test_a_signal_at_any_moment_of_a_start_is_heeded(
    bus: str, start: Start, request: pytest.FixtureRequest, seed: int
) -> None:
    environment: dict[str, str] = {}
    if bus == "kafka":
        server: KafkaServer = request.getfixturevalue("kafka_server")
        environment["GOODWORD_KAFKA"] = server.servers
    rng = random.Random(seed)
    # All at once, as a whole stack is stopped; they share the schema of the bus and wait for each other there.
    starting = [start(service, **environment) for service in SERVICES]
    await asyncio.gather(*(each.stopped_after(rng.uniform(*MOMENTS_S)) for each in starting))


@pytest.mark.parametrize("service", SERVICES)
async def test_who_waits_for_anothers_migration_is_stopped_meanwhile(
    service: str, start: Start, postgres_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"migrate/{service}",))
        starting = start(service)

        async def waits() -> bool:
            cursor = await other.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(cursor.rowcount)

        await eventually(waits)
        await starting.stopped()
        # Nor does its connection go on waiting for it.
        await eventually(lambda: _nobody_waits(other))


async def _nobody_waits(other: psycopg.AsyncConnection) -> bool:
    cursor = await other.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return not cursor.rowcount


@pytest.mark.parametrize("silent", ["GOODWORD_POSTGRES", "GOODWORD_REDIS", "GOODWORD_KAFKA"])
async def test_who_waits_for_a_server_that_does_not_answer_is_stopped_meanwhile(
    silent: str, start: Start, silent_port: int, seed: int
) -> None:
    address = {"GOODWORD_POSTGRES": "postgresql://a:b@{}/c", "GOODWORD_REDIS": "redis://{}", "GOODWORD_KAFKA": "{}"}
    starting = [start(each, **{silent: address[silent].format(f"127.0.0.1:{silent_port}")}) for each in SERVICES]
    rng = random.Random(seed)
    await asyncio.gather(*(each.stopped_after(rng.uniform(*MOMENTS_S)) for each in starting))
