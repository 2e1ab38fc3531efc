"""A whole run: its parts over processes, how far it has come, stopping it, and what all parts came to.

Promises:
- What is found does not depend on how many processes there are, when the run was stopped, or how often.
- A process that dies ends the run with a message; what the parts had kept by then is there for `resume`.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec

from contracts.errors import GoodwordError, PermanentError, Problem
from goodword.backtesting.checkpoints import Run
from goodword.backtesting.plan import Plan
from goodword.backtesting.work import CACHE_BYTES, CHECKPOINT_EVENTS, taker_of, work_on
from services.rules.backtest.comparison import Comparison
from services.rules.backtest.lines import Lines

_POLL_S: Final = 0.5
_JOIN_POLL_S: Final = 0.02
_PRELOADED: Final = ["goodword.backtesting.work"]

OnProgress = Callable[[int, int, int], None]
"""Called with the part, the position it has come to, and events replayed since the last call."""


class Stopped(Exception):
    """Somebody asked to stop; everything is kept for `resume`."""


class Found(msgspec.Struct, frozen=True):
    """What a run came to; `cpu_s` is what all its processes took, this time."""

    kept: Comparison | Lines
    events: int
    skipped: int
    cpu_s: float


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How a run uses the machine; none of it changes what is found."""

    workers: int
    checkpoint_events: int = CHECKPOINT_EVENTS
    cache_bytes: int = CACHE_BYTES


def default_workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(plan: Plan, folder: Path, *, limits: Limits, on_progress: OnProgress) -> Found:
    """Replay all parts; the run's folder must have been begun, or be that of a run to resume.

    Raises:
        Stopped: By SIGINT or SIGTERM.
        PermanentError, TransientError: What a part raised, or `backtest-process-died`.
    """
    with _stopping_by_signal() as stop:
        workers = min(limits.workers, len(plan.parts))
        began_s = time.process_time()
        others_s = 0.0
        if workers <= 1:
            done = [
                work_on(
                    plan,
                    part,
                    folder,
                    report=on_progress,
                    is_stopping=stop.is_set,
                    checkpoint_events=limits.checkpoint_events,
                    cache_bytes=limits.cache_bytes,
                )
                for part in plan.parts
            ]
        else:
            pool = _Pool(plan, folder, limits, workers, stop)
            done = pool.run(on_progress)
            others_s = pool.cpu_s
    if not all(done):
        raise Stopped
    return _gathered(plan, folder, others_s + time.process_time() - began_s)


def _gathered(plan: Plan, folder: Path, cpu_s: float) -> Found:
    """What all parts kept, taken together in their order."""
    whole: Any = taker_of(plan, b"")
    events = skipped = 0
    run = Run(folder, plan)
    for part in plan.parts:
        with run.part(part) as file:
            progress = file.progress()
        whole.add(taker_of(plan, progress.kept))
        events += progress.events
        skipped += progress.skipped
    return Found(whole, events, skipped, cpu_s)


class _Pool:
    """Processes that take one part after the other."""

    def __init__(self, plan: Plan, folder: Path, limits: Limits, workers: int, stop: threading.Event) -> None:
        # A server that has imported everything forks the processes: ours may have threads, which a fork would break.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self._plan = plan
        self._stop = stop
        self.cpu_s = 0.0
        self._told: Any = context.Queue()
        self._wanted: Any = context.Queue()
        self._is_stopping: Any = context.Event()
        for index in range(len(plan.parts)):
            self._wanted.put(index)
        for _ in range(workers):
            self._wanted.put(None)
        shared = limits.checkpoint_events, limits.cache_bytes // workers
        self._processes = [
            context.Process(
                target=_serve,
                args=(plan, folder, shared, self._wanted, self._told, self._is_stopping),
                daemon=True,
            )
            for _ in range(workers)
        ]

    def run(self, on_progress: OnProgress) -> list[bool]:
        """Whether each part is done, in their order."""
        done = [False] * len(self._plan.parts)
        for process in self._processes:
            process.start()
        try:
            left = len(self._processes)
            while left:
                told = self._next()
                match told:
                    case ("progress", part, position, events):
                        on_progress(part, position, events)
                    case ("done", index, is_done):
                        done[index] = is_done
                    case ("failed", error):
                        raise error
                    case ("ended", cpu_s):
                        self.cpu_s += cpu_s
                        left -= 1
        finally:
            self._is_stopping.set()
            for process in self._processes:
                self._join(process)
        return done

    def _join(self, process: Any) -> None:
        """Wait for a process to end. It does not before what it told us has left it, so we go on listening."""
        while process.is_alive():
            with suppress(queue.Empty):
                self._told.get(timeout=_JOIN_POLL_S)
        process.join()

    def _next(self) -> Any:
        while True:
            if self._stop.is_set():
                self._is_stopping.set()
            try:
                return self._told.get(timeout=_POLL_S)
            except queue.Empty:
                died = [process.exitcode for process in self._processes if process.exitcode]
                if died:
                    raise PermanentError(
                        Problem(
                            code="backtest-process-died",
                            message=f"a process of the run ended with code {died[0]}; perhaps memory was short",
                            help="--resume goes on from what was kept; fewer --workers need less memory",
                        )
                    ) from None


def _serve(plan: Plan, folder: Path, shared: tuple[int, int], wanted: Any, told: Any, is_stopping: Any) -> None:
    """The work of one process."""
    # Ctrl-C reaches every process of the terminal; the parent tells us when to stop, after keeping what we have.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        while (index := wanted.get()) is not None:
            is_done = not is_stopping.is_set() and work_on(
                plan,
                plan.parts[index],
                folder,
                report=lambda *progress: told.put(("progress", *progress)),
                is_stopping=is_stopping.is_set,
                checkpoint_events=shared[0],
                cache_bytes=shared[1],
            )
            told.put(("done", index, is_done))
    except GoodwordError as error:
        told.put(("failed", error))
    else:
        told.put(("ended", time.process_time()))


@contextmanager
def _stopping_by_signal() -> Iterator[threading.Event]:
    """Set when the process is asked to end; a second time ends it at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        stop.set()

    for each in before:
        signal.signal(each, ask)
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
