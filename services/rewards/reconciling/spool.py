"""Rows put in order on disk, so that millions of them need the memory of some thousands.

Sorted runs go into one temporary file, which has no name and is gone when it is closed; reading merges the runs. Rows
of the same key keep the order in which they were added.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, Self

import msgspec

RUN_ROWS: Final = 20_000
"""Rows that are sorted in memory."""
CHUNK_ROWS: Final = 200
"""Rows of each run that are in memory when runs are merged."""

Item = tuple[str, int, bytes]
"""Key, what tells earlier from later, and the row itself."""
_Place = tuple[int, int]
"""Offset and length of a chunk in the file."""

_FIRST: Final = 2**62

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Item])
_first_two: Final = itemgetter(0, 1)


class Spool:
    """A context manager: add rows, then read them in order, once."""

    def __init__(self, *, run_rows: int = RUN_ROWS) -> None:
        self._run_rows = run_rows
        self._file = tempfile.TemporaryFile(prefix="goodword-spool-")  # noqa: SIM115 # closed by __exit__
        self._rows: list[Item] = []
        self._runs: list[list[_Place]] = []
        self._end = 0
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def add(self, key: str, row: bytes, *, is_first: bool = False) -> None:
        """`is_first`: it goes before all others of its key but those of its like."""
        self._rows.append((key, self.count - _FIRST if is_first else self.count, row))
        self.count += 1
        if len(self._rows) >= self._run_rows:
            self._write_run()

    def sorted(self) -> Iterator[Item]:
        """All rows by their key."""
        if not self._runs:
            yield from sorted(self._rows, key=_first_two)
            return
        self._write_run()
        self._file.flush()
        yield from heapq.merge(*map(self._read_run, self._runs), key=_first_two)

    def _write_run(self) -> None:
        self._rows.sort(key=_first_two)
        places: list[_Place] = []
        for start in range(0, len(self._rows), CHUNK_ROWS):
            chunk = _encoder.encode(self._rows[start : start + CHUNK_ROWS])
            self._file.write(chunk)
            places.append((self._end, len(chunk)))
            self._end += len(chunk)
        self._runs.append(places)
        self._rows.clear()

    def _read_run(self, places: list[_Place]) -> Iterator[Item]:
        for offset, length in places:
            yield from _decoder.decode(os.pread(self._file.fileno(), length, offset))
