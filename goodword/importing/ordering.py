"""Events in order of time, then of line, then of the mapping: sorted in memory as long as they fit, else on disk.

Sorted runs go to temporary files and are merged while they are read (an external merge sort), so memory stays
bounded however long the history is.
"""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Final, NamedTuple

RUN_BYTES_MAX: Final = 64 * 1024 * 1024
RUNS_MAX: Final = 200
"""Files open at the same time while merging; more runs than that are merged in rounds."""
_EVENT_OVERHEAD_BYTES: Final = 200
_HEAD: Final = struct.Struct("<qqqII")


class Placed(NamedTuple):
    """An event with its place; tuples compare in the order we want, `number` being different for each."""

    time_ms: int
    file: int
    number: int
    line: int
    body: bytes


def in_order(events: Iterable[Placed], *, run_bytes_max: int = RUN_BYTES_MAX) -> Iterator[Placed]:
    """All events, sorted. Nothing comes out before everything was read."""
    with ExitStack() as files:
        runs: list[IO[bytes]] = []
        held: list[Placed] = []
        held_bytes = 0
        for event in events:
            held.append(event)
            held_bytes += len(event.body) + _EVENT_OVERHEAD_BYTES
            if held_bytes >= run_bytes_max:
                runs.append(_spill(sorted(held), files))
                held, held_bytes = [], 0
                if len(runs) == RUNS_MAX:
                    merged = _spill(heapq.merge(*map(_read_run, runs)), files)
                    for run in runs:
                        run.close()
                    runs = [merged]
        held.sort()
        yield from heapq.merge(*map(_read_run, runs), held)


def _spill(events: Iterable[Placed], files: ExitStack) -> IO[bytes]:
    file = tempfile.TemporaryFile(prefix="goodword-import-", buffering=1024 * 1024)  # noqa: SIM115 - closed by `files`
    run = files.enter_context(file)
    for event in events:
        run.write(_HEAD.pack(event.time_ms, event.file, event.number, event.line, len(event.body)))
        run.write(event.body)
    run.seek(0)
    return run


def _read_run(run: IO[bytes]) -> Iterator[Placed]:
    while head := run.read(_HEAD.size):
        time_ms, file, number, line, length = _HEAD.unpack(head)
        yield Placed(time_ms, file, number, line, run.read(length))
