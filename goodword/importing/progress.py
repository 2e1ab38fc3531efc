"""Progress of an import: a bar on a terminal, a line now and then elsewhere, nothing when asked to be quiet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from goodword.terminal import err, say

LINE_EVERY_S: Final = 10.0


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        done = int(task.fields.get("events", task.completed))
        elapsed_s = task.elapsed or 0
        rate = f" {done / elapsed_s:,.0f}/s" if elapsed_s > 0.5 and done else ""
        return Text(f"{done:,}{rate}")


class ImportProgress:
    """Bars of one import: reading, sending, and each stage of `--wait`. Use as a context manager."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<28}"), BarColumn(), _Count(), TimeElapsedColumn(), console=err
        )
        self._tasks: dict[str, TaskID] = {}
        self._is_live = err.is_terminal
        self._line_at_s = time.monotonic()

    @contextlib.contextmanager
    def shown(self) -> Iterator[ImportProgress]:
        if not self._is_live:
            yield self
            return
        with self._bars:
            yield self

    def reading(self, done_bytes: int, total_bytes: int | None) -> None:
        self._update("reading", done_bytes, total_bytes)

    def sent(self, events: int, done_bytes: int, total_bytes: int | None) -> None:
        self._update("sent", done_bytes, total_bytes, events)

    def stage(self, name: str, done: int, total: int) -> None:
        self._update(name, done, total)

    def waiting(self, reason: str, wait_s: float) -> None:
        """Something is tried again later."""
        if wait_s >= 0.5:
            say(f"the front door is away ({reason}); trying again in {wait_s:g} s", "yellow")

    def _update(self, name: str, done: int, total: int | None, events: int | None = None) -> None:
        count = done if events is None else events
        if not self._is_live:
            self._print_line(name, count)
            return
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(task, completed=done, total=total, events=count)

    def _print_line(self, name: str, count: int) -> None:
        now_s = time.monotonic()
        if now_s - self._line_at_s >= LINE_EVERY_S:
            self._line_at_s = now_s
            say(f"{name}: {count:,}")
