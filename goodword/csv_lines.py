"""CSV for spreadsheets and accountants: RFC 4180, and no cell that a spreadsheet would run.

A text that begins like a formula gets an apostrophe in front (OWASP, "CSV injection"); a number stays a number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

from contracts.csv_cells import text_cell

_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def csv_line(cells: Iterable[str | int | None]) -> str:
    """One line without its end; None is an empty cell."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["" if cell is None else defused(str(cell)) for cell in cells])
    return line.getvalue()


def defused(text: str) -> str:
    """The text, so that no spreadsheet takes it for a formula."""
    return text if _NUMBER.fullmatch(text) else text_cell(text)
