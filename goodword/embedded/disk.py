"""Tells people when the disk under a data folder is full, and when there is room again.

A full disk ends nothing by itself: PostgreSQL refuses what it cannot write, the front door answers 503, the services
try again, what dies is not given up, and all goes on once there is room. What they cannot do is say so to whoever
sits before the terminal.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

FREE_BYTES_MIN: Final = 32 * 1024 * 1024
"""Two segments of PostgreSQL's log: below this it may stop writing any moment."""
_LOOK_EVERY_S: Final = 5.0


class DiskWatch:
    """Looks at the disk of one folder; says each change once.

    Args:
        free_bytes: How many bytes are free; asked at every look.
    """

    def __init__(self, path: Path, *, tell: Callable[[str], None], free_bytes: Callable[[], int] | None = None) -> None:
        self._path = path
        self._tell = tell
        self._free_bytes = free_bytes or (lambda: shutil.disk_usage(path).free)
        self._was_full = False

    def is_full(self) -> bool:
        """Now."""
        return self._free_bytes() < FREE_BYTES_MIN

    def look(self) -> None:
        """Tell what has changed since the last look."""
        is_full = self.is_full()
        if is_full and not self._was_full:
            self._tell(
                f"the disk is full (less than {FREE_BYTES_MIN // 2**20} MiB are free at {self._path}): "
                "what comes in is refused and what is in waits until there is room"
            )
        elif self._was_full and not is_full:
            self._tell("there is room on the disk again")
        self._was_full = is_full

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)
