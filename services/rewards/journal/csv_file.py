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

from contracts.csv_cells import RISKY_STARTS, text_cell
from contracts.events import format_time, time_ms_of
from services.rewards.journal.lines import Line

SUFFIX: Final = ".csv"
_AMOUNT: Final = Line._fields.index("amount")


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

    def _write(self, rows: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self._file.write(text.getvalue().encode())


def _cells(line: Line) -> list[object]:
    """What the writer makes text of as it stands: None is an empty cell, an integer its digits."""
    cells: list[object] = list(line)
    cells[:3] = (line.booked_on.isoformat(), _time(line.booked_at), _time(line.effective_at))
    # An amount is above zero, so it is never taken for a formula; `f` keeps it from being written as 1E+3.
    cells[_AMOUNT] = f"{line.amount:f}"
    for place, cell in enumerate(cells):
        if cell.__class__ is str and cell[:1] in RISKY_STARTS:
            cells[place] = text_cell(str(cell))
    return cells


@lru_cache(maxsize=1_024)
def _time(moment: datetime) -> str:
    return format_time(time_ms_of(moment))
