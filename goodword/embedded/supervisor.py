"""Keeps child processes and servers running: restarts what died, gives up loudly on what dies again and again.

Promises: what died is started again after a growing wait with a cap; what dies of itself DEATHS_MAX times within
DEATHS_WINDOW_S ends everything with `GaveUp`, which carries the last lines of its log. A child that served and was
killed from outside does not count towards that, nor does a server that had served for SERVED_S_MIN.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from contracts.errors import GoodwordError, Problem
from goodword.embedded.child import Child, ChildSpec, describe_exit
from goodword.embedded.deaths import DEATHS_MAX, DEATHS_WINDOW_S, Deaths
from goodword.embedded.disk import DiskWatch
from goodword.embedded.failure import ServerFailed
from goodword.embedded.logs import last_lines, shorten

SERVED_S_MIN: Final = 5.0
"""A server that died after less than this died of itself; how it ended, nobody tells us."""
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


class Supervisor:
    """Watches children and servers until it is stopped or gives up.

    Args:
        tell: Called with one line for people when something died or came back.
        changed: Called after any start, so that the state file can be written.
    """

    def __init__(self, data_dir: Path, *, tell: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.children: dict[str, Child] = {}
        self._disk = DiskWatch(data_dir, tell=tell)
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

    def watch_disk(self) -> None:
        """Say so when the disk is full."""
        self._watch(self._disk.run())

    async def wait(self) -> None:
        """Returns never; raises GaveUp or ServerFailed."""
        await asyncio.shield(self._failed)

    async def stop_watching_servers(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._failed.done() and not self._failed.cancelled():
            self._failed.exception()

    def _watch(self, keeping: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(keeping)
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
            returncode = await _ended(child, child.process)
            if not child.is_wanted():
                return
            how = describe_exit(returncode)
            now_s = time.monotonic()
            child.deaths.add(now_s, counts=child.is_own_fault(returncode) and not self._disk.is_full())
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
        is_fault_of_its_own = False
        serving_since_s = time.monotonic()
        told = ""
        while True:
            await asyncio.sleep(_CHECK_S)
            if server.is_running:
                continue
            now_s = time.monotonic()
            if not told:
                is_fault_of_its_own = now_s - serving_since_s < SERVED_S_MIN and not self._disk.is_full()
                self._tell(f"{name} died; starting it again")
            deaths.add(now_s, counts=is_fault_of_its_own)
            if deaths.too_many(now_s):
                raise self._gave_up(name, "died", server.log_file)
            try:
                await asyncio.to_thread(server.start)
            except ServerFailed as error:
                # A full disk is waited out, however long it takes; said once.
                is_fault_of_its_own = error.problem.code != "disk-full"
                if error.problem.code != told or is_fault_of_its_own:
                    self._tell(f"{name} did not start: {error.problem.message}")
                told = error.problem.code
                await asyncio.sleep(deaths.wait_s(now_s))
                continue
            serving_since_s, told = time.monotonic(), ""
            self._changed()
            self._tell(f"{name} is back")

    def _gave_up(self, name: str, how: str, log_file: Path) -> GaveUp:
        return GaveUp(
            Problem(
                code="dies-again-and-again",
                message=f"{name} {how}, {DEATHS_MAX} times within {DEATHS_WINDOW_S:g} s: giving up",
                where=str(log_file),
                help="its log says why",
            ),
            last_lines(log_file),
        )


async def _ended(child: Child, process: asyncio.subprocess.Process) -> int:
    """The return code, once there is one; meanwhile the log is kept small, and it is noticed when the child serves."""
    ready = asyncio.create_task(child.until_ready())
    ending = asyncio.ensure_future(process.wait())
    try:
        while not ending.done():
            await asyncio.wait({ending}, timeout=_LOG_CHECK_S)
            shorten(child.spec.log_file)
        return ending.result()
    finally:
        ready.cancel()
        ending.cancel()
