"""One part of a run, from its last checkpoint to its end, in whichever process it lands."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Final

from goodword.backtesting.checkpoints import PartFile, Progress, Run
from goodword.backtesting.events import Chunk, chunks_of
from goodword.backtesting.plan import Part, Plan
from services.rules.backtest.comparison import Comparison
from services.rules.backtest.lines import Lines
from services.rules.backtest.replay import Replay
from services.rules.backtest.window import Window

CHECKPOINT_EVENTS: Final = 200_000
"""Events of one part between two checkpoints: few enough for memory, so many that most runs need none."""
CACHE_BYTES: Final = 256 * 1024 * 1024

Report = Callable[[int, int, int], None]
"""Called with the part, the position it has come to, and events replayed since the last call."""


def taker_of(plan: Plan, kept: bytes) -> Comparison | Lines:
    """What keeps the decisions of a run, empty or as it was kept."""
    window = Window(plan.timezone, plan.first_day, plan.last_day)
    if plan.kind == "lines":
        return Lines.decode(kept, window) if kept else Lines(window)
    return Comparison.decode(kept, window) if kept else Comparison(window)


def work_on(
    plan: Plan,
    part: Part,
    folder: Path,
    *,
    report: Report,
    is_stopping: Callable[[], bool],
    checkpoint_events: int = CHECKPOINT_EVENTS,
    cache_bytes: int = CACHE_BYTES,
) -> bool:
    """Replay a part, and keep what it came to. Returns whether it is done; else it was stopped, and can be resumed.

    Raises what reading the source raises: PermanentError, TransientError.
    """
    with Run(folder, plan).part(part) as file:
        work = _Work(plan, part, file, checkpoint_events, cache_bytes)
        # As the service does it: what is cached is no garbage, and walking it would cost a third of the time.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            return asyncio.run(work.run(report, is_stopping))
        finally:
            gc.enable()
            gc.unfreeze()


class _Work:
    def __init__(self, plan: Plan, part: Part, file: PartFile, checkpoint_events: int, cache_bytes: int) -> None:
        self._plan = plan
        self._part = part
        self._file = file
        self._checkpoint_events = checkpoint_events
        self._progress = file.progress()
        self._taker = taker_of(plan, self._progress.kept)
        self._replay = Replay(part.number, plan.before, plan.after, self._taker, cache_bytes=cache_bytes)
        # As long as nothing was stored, nothing can be missing, and asking for each event costs a tenth of the time.
        self._is_all_in_memory = False
        self._has_stored = self._progress != Progress()

    async def run(self, report: Report, is_stopping: Callable[[], bool]) -> bool:
        began = self._progress
        report(self._part.number, began.position, began.events)
        if began.is_done:
            return True
        position, events, skipped = began.position, began.events, began.skipped
        kept_at = events
        async for chunk in chunks_of(self._plan, self._part, position):
            self._feed(chunk)
            position = chunk.next_position
            count = chunk.count
            events += count
            skipped += chunk.skipped
            report(self._part.number, position, count)
            is_stopped = is_stopping()
            if is_stopped or events - kept_at >= self._checkpoint_events:
                kept = Progress(position, events, skipped, kept=self._taker.encode())
                self._file.save(kept, self._replay.take_dirty())
                self._has_stored = True
                kept_at = events
                gc.collect()
                gc.freeze()
            if is_stopped:
                return False
        self._file.finish(Progress(position, events, skipped, is_done=True, kept=self._taker.encode()))
        return True

    def _feed(self, chunk: Chunk) -> None:
        if self._has_stored or not self._is_all_in_memory:
            missing = self._replay.missing_keys(chunk.events)
            while any(missing):
                missing = self._replay.load([self._file.load(side, keys) for side, keys in enumerate(missing)])
            # From now on the programme's revisions are known, which are asked for first.
            self._is_all_in_memory = bool(chunk.events)
        self._replay.feed(chunk.events)
