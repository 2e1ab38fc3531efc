"""Keeps child processes and servers running: restarts what died, gives up loudly on what dies again and again.

Promises: a child that died is started again after a growing wait; one that dies DEATHS_MAX times within
DEATHS_WINDOW_S ends everything with `GaveUp`, which carries the last lines of its log. Stopping a child sends
SIGTERM and waits, so that it finishes the batch in hand; only then SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from contracts.errors import GoodwordError, Problem
from goodword.embedded.failure import ServerFailed
from goodword.embedded.parent import SUPERVISOR_VARIABLE

DEATHS_MAX: Final = 5
DEATHS_WINDOW_S: Final = 60.0
RESTART_WAIT_S_MAX: Final = 5.0
STOP_S_MAX: Final = 25.0
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
LOG_LINES_SHOWN: Final = 12
_CHECK_S: Final = 0.5
_LOG_CHECK_S: Final = 10.0


class GaveUp(GoodwordError):
    """Something dies again and again; `problem` names it, `log_lines` are the last it said."""

    def __init__(self, problem: Problem, log_lines: Sequence[str]) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.log_lines = log_lines


class Server(Protocol):
    """An embedded server, as `PostgresServer` and `ValkeyServer` are; calls block."""

    log_file: Path

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep running.

    Attributes:
        environment: Added to our own.
        log_file: Takes its output.
    """

    name: str
    command: Sequence[str]
    log_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Deaths:
    """When something died lately, and so how long to wait before the next start."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=DEATHS_MAX)

    def add(self, now_s: float) -> None:
        self._times_s.append(now_s)

    def too_many(self, now_s: float) -> bool:
        return len(self._times_s) == DEATHS_MAX and now_s - self._times_s[0] <= DEATHS_WINDOW_S

    def wait_s(self, now_s: float) -> float:
        """0.25 s after the first death of the window, doubling with each more."""
        recent = sum(1 for time_s in self._times_s if now_s - time_s <= DEATHS_WINDOW_S)
        return float(min(0.125 * 2**recent, RESTART_WAIT_S_MAX))


class Child:
    """One child process; `pid` is 0 while it does not run."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.deaths = Deaths()
        self._is_wanted = True
        self.process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    def is_wanted(self) -> bool:
        """False from the moment that it is asked to stop."""
        return self._is_wanted

    def give_up(self) -> None:
        """Do not start it again."""
        self._is_wanted = False

    async def start(self) -> None:
        rotate(self.spec.log_file)
        with self.spec.log_file.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.spec.environment, SUPERVISOR_VARIABLE: str(os.getpid())},
                # Ctrl-C in the terminal must not reach it: the supervisor stops its children in order.
                start_new_session=True,
            )

    async def stop(self, seconds_max: float = STOP_S_MAX) -> bool:
        """Returns whether it stopped by itself when asked to."""
        self.give_up()
        process = self.process
        if process is None or process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds_max):
                await process.wait()
            return True
        except TimeoutError:
            self.kill()
            await process.wait()
            return False

    def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


class Supervisor:
    """Watches children and servers until it is stopped or gives up.

    Args:
        tell: Called with one line for people when something died or came back.
        changed: Called after any start, so that the state file can be written.
    """

    def __init__(self, data_dir: Path, *, tell: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.children: dict[str, Child] = {}
        self._data_dir = data_dir
        self._tell = tell
        self._changed = changed
        self._watches: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def add_child(self, spec: ChildSpec) -> Child:
        child = Child(spec)
        self.children[spec.name] = child
        await child.start()
        self._changed()
        self._watch(self._keep_child(child))
        return child

    def add_server(self, name: str, server: Server) -> None:
        """Keep a server running that was started already."""
        self._watch(self._keep_server(name, server))

    async def wait(self) -> None:
        """Returns never; raises GaveUp or ServerFailed."""
        await asyncio.shield(self._failed)

    async def stop_watching_servers(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._failed.done() and not self._failed.cancelled():
            self._failed.exception()

    def _watch(self, keeping: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(keeping)  # type: ignore[call-overload]
        self._watches.add(task)
        task.add_done_callback(self._watch_ended)

    def _watch_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failed.done():
            return
        error = task.exception()
        if error is not None:
            self._failed.set_exception(error)

    async def _keep_child(self, child: Child) -> None:
        while child.process is not None:
            waiting = asyncio.ensure_future(child.process.wait())
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=_LOG_CHECK_S)
                shorten(child.spec.log_file)
            if not child.is_wanted():
                return
            how = describe_exit(waiting.result())
            now_s = time.monotonic()
            child.deaths.add(now_s)
            if child.deaths.too_many(now_s):
                raise self._gave_up(child.spec.name, how, child.spec.log_file)
            wait_s = child.deaths.wait_s(now_s)
            self._tell(f"{child.spec.name} {how}; starting it again in {wait_s:g} s")
            await asyncio.sleep(wait_s)
            if not child.is_wanted():
                return
            await child.start()
            self._changed()

    async def _keep_server(self, name: str, server: Server) -> None:
        deaths = Deaths()
        while True:
            await asyncio.sleep(_CHECK_S)
            if server.is_running:
                continue
            now_s = time.monotonic()
            deaths.add(now_s)
            if deaths.too_many(now_s):
                raise self._gave_up(name, "died", server.log_file)
            self._tell(f"{name} died; starting it again")
            try:
                await asyncio.to_thread(server.start)
            except ServerFailed as error:
                self._tell(f"{name} did not start: {error.problem.message}")
                await asyncio.sleep(deaths.wait_s(now_s))
                continue
            self._changed()
            self._tell(f"{name} is back")

    def _gave_up(self, name: str, how: str, log_file: Path) -> GaveUp:
        free = shutil.disk_usage(self._data_dir).free
        reason = "the disk is full" if free < 16 * 1024 * 1024 else "its log says why"
        return GaveUp(
            Problem(
                code="dies-again-and-again",
                message=f"{name} {how}, {DEATHS_MAX} times within {DEATHS_WINDOW_S:g} s: giving up",
                where=str(log_file),
                help=reason,
            ),
            last_lines(log_file),
        )


def describe_exit(returncode: int) -> str:
    """`was killed by SIGKILL`, `ended with exit code 1`."""
    if returncode < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


def last_lines(log_file: Path, count: int = LOG_LINES_SHOWN) -> list[str]:
    with contextlib.suppress(OSError), log_file.open("rb") as log:
        log.seek(max(0, log_file.stat().st_size - 32_768))
        return log.read().decode(errors="replace").splitlines()[-count:]
    return []


def rotate(log_file: Path) -> None:
    """Before a start: put a large log aside; the one before that is dropped."""
    with contextlib.suppress(FileNotFoundError):
        if log_file.stat().st_size > LOG_BYTES_MAX:
            log_file.replace(log_file.with_name(log_file.name + ".1"))


def shorten(log_file: Path) -> None:
    """While a process writes: copy and truncate. It appends, so its next line starts the file anew; a line
    written between the two steps is lost, which a log of an embedded stack can bear.
    """
    with contextlib.suppress(OSError):
        if log_file.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(log_file, log_file.with_name(log_file.name + ".1"))
            os.truncate(log_file, 0)
