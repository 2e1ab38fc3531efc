"""One child process: how it is started, known to serve, stopped, and how its end is told.

Stopping sends SIGTERM and waits, so that it finishes the batch in hand; only then SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from goodword.embedded.deaths import Deaths
from goodword.embedded.logs import rotate
from goodword.embedded.parent import SUPERVISOR_VARIABLE

STOP_S_MAX: Final = 25.0
FROM_OUTSIDE: Final = (-signal.SIGKILL, -signal.SIGTERM)
"""Return codes of a process that was ended by somebody else; a fault of its own ends in others."""
_READY_CHECK_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep running.

    Attributes:
        environment: Added to our own.
        log_file: Takes its output.
        is_ready: Whether it serves now; None for one of which nobody can tell.
    """

    name: str
    command: Sequence[str]
    log_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[], Awaitable[bool]] | None = None


class Child:
    """One child process; `pid` is 0 while it does not run."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.deaths = Deaths()
        self._is_wanted = True
        self.was_ready = False
        """Whether it served at some time since its last start."""
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
        self.was_ready = False
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

    async def until_ready(self) -> None:
        """Return once it has served; never, where nobody can tell. Cancel it when the process has ended."""
        if self.spec.is_ready is None:
            await asyncio.Event().wait()
            return
        while not await self.spec.is_ready():  # noqa: ASYNC110 - another process, nothing that could set an event
            await asyncio.sleep(_READY_CHECK_S)
        self.was_ready = True

    def is_own_fault(self, returncode: int) -> bool:
        """Whether an end counts against it: any but that of a child which served and was killed by somebody."""
        return not (self.was_ready and returncode in FROM_OUTSIDE)

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


def describe_exit(returncode: int) -> str:
    """`was killed by SIGKILL`, `ended with exit code 1`."""
    if returncode < 0:
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
