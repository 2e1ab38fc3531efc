"""A journal file as CSV (RFC 4180, UTF-8): decimal text, times in RFC 3339, and no cell that could be a formula."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from contracts.csv_cells import text_cell
from contracts.events import format_time, time_ms_of
from services.rewards.journal.lines import Line

SUFFIX: Final = ".csv"


class CsvFile:
    """Writes lines; whole when the block ends without an error."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._write([Line._fields])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()

    def write(self, lines: Sequence[Line]) -> None:
        self._write([_cells(line) for line in lines])

    def _write(self, rows: Sequence[Sequence[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self._file.write(text.getvalue().encode())


def _cells(line: Line) -> tuple[str, ...]:
    booked_on, booked_at, effective_at, *rest = line
    return (booked_on.isoformat(), _time(booked_at), _time(effective_at), *map(_cell, rest))


def _cell(value: object) -> str:
    if isinstance(value, str):
        return text_cell(value)
    # An amount is above zero, so it is never taken for a formula; `f` keeps it from being written as 1E+3.
    return "" if value is None else f"{value:f}" if not isinstance(value, int) else str(value)


@lru_cache(maxsize=1_024)
def _time(moment: datetime) -> str:
    return format_time(time_ms_of(moment))
