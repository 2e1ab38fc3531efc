"""The log files of what the embedded stack runs: kept small, and their last lines for those who ask why."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

LOG_BYTES_MAX: Final = 16 * 1024 * 1024
LOG_LINES_SHOWN: Final = 12


def last_lines(log_file: Path, count: int = LOG_LINES_SHOWN) -> list[str]:
    with contextlib.suppress(OSError), log_file.open("rb") as log:
        log.seek(max(0, log_file.stat().st_size - 32_768))
        return log.read().decode(errors="replace").splitlines()[-count:]
    return []


def rotate(log_file: Path) -> None:
    """Before a start: put a large log aside; the one before that is dropped."""
    with contextlib.suppress(FileNotFoundError):
        if log_file.stat().st_size > LOG_BYTES_MAX:
            log_file.replace(log_file.with_name(log_file.name + ".1"))


def shorten(log_file: Path) -> None:
    """While a process writes: copy and truncate. It appends, so its next line starts the file anew; a line
    written between the two steps is lost, which a log of an embedded stack can bear.
    """
    with contextlib.suppress(OSError):
        if log_file.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(log_file, log_file.with_name(log_file.name + ".1"))
            os.truncate(log_file, 0)
