"""Ports of this machine: which are free, and who has the one that is not.

Everything here is on 127.0.0.1. Who listens is read from /proc, so only processes we may look into are named.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCALHOST: Final = "127.0.0.1"
PORTS_CHOSEN: Final = range(20_000, 32_000)
"""Where free ports are looked for: below those that systems give to outgoing connections. A server whose port is one
of these may find, when it was killed and starts again, that a client has it: one that calls a port nobody listens on
can even be given that very port and be connected to itself."""
_LISTEN: Final = "0A"


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens on a port."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


def is_free(port: int, host: str = LOCALHOST) -> bool:
    """Whether a server could listen there now; ports in TIME_WAIT count as free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def ports_in_a_row(count: int = 5) -> int:
    """The first of so many free ports in a row.

    Raises:
        RuntimeError: There are none.
    """
    firsts = list(range(PORTS_CHOSEN.start, PORTS_CHOSEN.stop - count, count))
    begin = secrets.randbelow(len(firsts))
    for first in firsts[begin:] + firsts[:begin]:
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row")


def free_port() -> int:
    """A port that nobody has now; somebody else may take it before we do, so two callers get different ones."""
    for _ in range(len(PORTS_CHOSEN)):
        port = secrets.choice(PORTS_CHOSEN)
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])


def listener_of(port: int) -> Listener | None:
    """Who listens on the port; None when nobody does or the process is not ours to see."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for link in (folder / "fd").iterdir():
                if str(link.readlink()) in inodes:
                    return Listener(int(folder.name), _command_of(folder))
    return None


def _listening_inodes(port: int) -> set[str]:
    wanted = f":{port:04X}"
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[1].endswith(wanted) and columns[3] == _LISTEN:
                    found.add(f"socket:[{columns[9]}]")
    return found


def _command_of(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join(" ".join(words).split())[:120]
