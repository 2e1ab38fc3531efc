"""A whole stack as a user starts it: `goodword up` as a process, asked by the command line, killed by its ids."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import httpx
import psycopg
import redis

from goodword.embedded.folder import StackFolder, StackState
from goodword.embedded.ports import is_free

START_S_MAX = 120.0
COMMAND_S_MAX = 300.0
SERVICES = ("tracking", "rules", "rewards", "notify")


_leases: list[IO[bytes]] = []
"""Locks on the ports that this process was given; the system lets go of them when it ends."""


def free_ports(count: int) -> int:
    """The first of several free ports in a row, which no other test process is given before this one ends."""
    folder = Path(tempfile.gettempdir()) / "goodword-test-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    for base in range(12_000, 20_000, 10):
        lease = (folder / str(base)).open("wb")
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lease.close()
            continue
        if all(is_free(port) for port in range(base, base + count)):
            _leases.append(lease)
            return base
        lease.close()
    raise RuntimeError(f"no {count} free ports in a row")


class UpStack:
    """`goodword up` on one folder.

    Args:
        folder: Its data folder; used again by a later stack, it goes on where it was.
        environment: More variables, such as GOODWORD_KAFKA.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_ports(5)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GOODWORD_")}
        self._environment = clean | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.output = folder.with_name(folder.name + ".up.log")

    def start(self, *arguments: str) -> None:
        """Start and wait until every service is ready."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "goodword", "up", "--data", str(self.folder), "--port", str(self.port),
                 *arguments],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=self._environment,
            )  # fmt: skip
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until every service says so; `goodword status`, which is dear to ask often, has the last word."""
        deadline = time.monotonic() + START_S_MAX
        while not self._services_are_ready() or self.run("status", check=False).returncode != 0:
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"`goodword up` ended with {self._process.returncode}:\n{self.words()}")
            assert time.monotonic() < deadline, f"not ready in time:\n{self.words()}"
            time.sleep(0.1)

    def _services_are_ready(self) -> bool:
        state = StackFolder(self.folder).read()
        if state is None or self._process is None or state.pid != self._process.pid:
            return False
        try:
            answers = [httpx.get(f"{service.url}/readyz", timeout=5) for service in state.services.values()]
        except httpx.TransportError:
            return False
        return len(answers) == len(SERVICES) and all(answer.status_code == 200 for answer in answers)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def kill_all(self) -> None:
        """kill -9 of everything at once, `up` first, as when the machine loses power."""
        pids = [*self.state.children.values(), self.server_pid("postgres"), self.server_pid("valkey")]
        assert self._process is not None
        self._process.kill()
        for pid in pids:
            _kill(pid)
        self._process.wait(30)

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def state(self) -> StackState:
        state = StackFolder(self.folder).read()
        assert state is not None
        return state

    def kill(self, name: str) -> None:
        """kill -9 of one service, of `valkey`, or of `postgres` (its postmaster)."""
        _kill(self.server_pid(name) if name in {"postgres", "valkey"} else self.state.children.get(name, 0))

    def server_pid(self, name: str) -> int:
        file = self.folder / name / {"postgres": "postmaster.pid", "valkey": "valkey.pid"}[name]
        try:
            return int(file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def empty_valkey(self) -> None:
        with redis.Redis.from_url(self.state.redis) as client:
            client.flushall()

    def run(
        self, *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command of `goodword` against this stack."""
        done = subprocess.run(
            [sys.executable, "-m", "goodword", *arguments, "--data", str(self.folder)],
            capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False, stdin=subprocess.DEVNULL,
            env=self._environment | dict(environment or {}),
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(
                f"goodword {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.words()}"
            )
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def balances(self) -> dict[tuple[str, str], int]:
        """(account, unit) to minor."""
        return {(row["account"], row["unit"]): row["minor"] for row in self.json("ledger", "balances")}

    def tiers(self) -> dict[str, str | None]:
        return {row["partner"]: row["tier"] for row in self.json("partners", "list")}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the stack's own database, for what no command shows."""
        with psycopg.connect(self.state.postgres) as connection:
            return connection.execute(sql.encode()).fetchall()

    def words(self) -> str:
        """The last lines of all logs, for a failure's message."""
        files = [self.output, *sorted((self.folder / "logs").glob("*.log"))]
        return "\n".join(
            f"--- {f.name}\n{''.join(f.read_text(errors='replace').splitlines(True)[-15:])}"
            for f in files
            if f.exists()
        )


def _kill(pid: int) -> None:
    if pid > 0:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
