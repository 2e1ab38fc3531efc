"""Which PostgreSQL runs on a data folder: read from `postmaster.pid` and /proc, never guessed.

A pid alone proves nothing after a reboot; the process must be a postgres started on this very folder.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def postmaster_line(data_dir: Path, number: int) -> str:
    """A line of postmaster.pid (0: pid, 3: port, 7: status), or nothing while it is not there."""
    with contextlib.suppress(FileNotFoundError):
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
        if len(lines) > number:
            return lines[number]
    return ""


def live_postmaster(data_dir: Path) -> int | None:
    """The pid in postmaster.pid, if that process is really a postgres on this folder."""
    text = postmaster_line(data_dir, 0).strip()
    if not text.isdigit() or not is_alive(int(text)):
        return None
    try:
        arguments = Path(f"/proc/{text}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text) if os.fsencode(data_dir) in arguments else None


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def backends_on(data_dir: Path) -> list[int]:
    """Processes of a postgres that work in the folder, its postmaster included if it lives."""
    folder = data_dir.resolve()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            # Not ours to look into, or gone meanwhile: not of this folder's server.
            with contextlib.suppress(OSError):
                if (process / "exe").readlink().name == "postgres" and (process / "cwd").readlink() == folder:
                    found.append(int(process.name))
    return found
