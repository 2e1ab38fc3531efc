"""What processes take: CPU seconds and memory, read from proc(5)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from goodword.embedded.postmaster import children_of

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_MIB: Final = 1024 * 1024


def cpu_s(pids: Iterable[int]) -> float:
    """User and system CPU seconds of the processes so far; one that is gone counts nothing."""
    total = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _private_mib(pid: int) -> float:
    """Resident memory that is not shared: PostgreSQL's buffers are in every backend's resident set."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return (int(resident) - int(shared)) * _PAGE_BYTES / _MIB


@dataclass(slots=True)
class Usage:
    """What one named process, with its children, took over a run.

    Attributes:
        cpu_s: CPU seconds; a child that ended keeps what it had at the last look.
        private_mib: Memory at each look.
    """

    pid: int
    private_mib: list[float] = field(default_factory=list)
    _last_s: dict[int, float] = field(default_factory=dict)
    _first_s: dict[int, float] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        return sum(self._last_s.values()) - sum(self._first_s.values())

    def look(self) -> None:
        pids = [self.pid, *children_of(self.pid)]
        for pid in pids:
            if (seconds := cpu_s([pid])) or pid not in self._last_s:
                self._last_s[pid] = seconds
                # A child that was born later had nothing when we began.
                self._first_s.setdefault(pid, 0.0 if self.private_mib else seconds)
        self.private_mib.append(sum(map(_private_mib, pids)))
