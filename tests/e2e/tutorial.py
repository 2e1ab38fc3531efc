"""Runs the tutorial of docs/rules.md as a reader would: writes its files, runs its commands in order, and compares.

What a comment before a block says is done with it: `file: NAME` writes it, `up` starts the stack that it names, `run`
runs its lines in one shell, and `output` is what the last run must have printed, `…` being anything on one line.
Run as a program it writes what was printed into the page: `python -m tests.e2e.tutorial`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.stack import UpStack

PAGE = Path(__file__).resolve().parents[2] / "docs/rules.md"
_BLOCK = re.compile(r"<!-- (file: \S+|run|up|output) -->\n```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_DIFFERS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(?!000Z)\d{3}Z"), "…"),
    (re.compile(r"\bsent in [\d.]+ s(, \d+ a second)?"), "sent in …"),
    (re.compile(r"[\d.]+ s later"), "… later"),
    (re.compile(r"\bpartition \d+, offset \d+"), "partition …, offset …"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "…"),
)


class Block(NamedTuple):
    """One marked block and where its text stands in the page."""

    what: str
    text: str
    start: int
    end: int


def blocks() -> Iterator[Block]:
    page = PAGE.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(page):
        yield Block(found[1], found[3], found.start(3), found.end(3))


class Reader:
    """Somebody who follows the tutorial in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack: UpStack | None = None
        self._printed = ""
        command = folder / "bin/goodword"
        command.parent.mkdir(parents=True)
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m goodword "$@"\n')
        command.chmod(0o755)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GOODWORD_")}
        self._environment = clean | dict.fromkeys(("LOGNAME", "USER"), "you")
        self._environment["PATH"] = f"{command.parent}:{os.environ['PATH']}"
        self._environment["PYTHONPATH"] = str(PAGE.parents[1])

    def follow(self, block: Block) -> str | None:
        """Do what the block says. Of an output, what was printed instead of it; None for all others."""
        what, _, name = block.what.partition(": ")
        if what == "file":
            (self._folder / name).write_text(block.text)
        elif what == "up":
            self._stack = UpStack(self._folder / block.text.split()[-1])
            self._stack.start()
        elif what == "run":
            self._run(block.text)
        else:
            return self._printed
        return None

    def _run(self, lines: str) -> None:
        done = subprocess.run(
            ["sh", "-e", "-c", lines], cwd=self._folder, env=self._environment, capture_output=True, text=True,
            timeout=300, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        words = self._stack.words() if self._stack else ""
        assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}\n{words}"
        self._printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
        exported = re.findall(r"^export (\w+)=(\S+)$", lines, re.MULTILINE)
        self._environment |= {name: str(self._folder / value) for name, value in exported}

    def leave(self) -> None:
        if self._stack is not None and self._stack.is_up:
            self._stack.stop()


def matches(shown: str, printed: str) -> bool:
    """Whether it was printed as shown, `…` being anything on one line."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), printed) is not None


def renew() -> None:
    """Write into the page what is printed now; what differs each time is left open."""
    page = PAGE.read_text(encoding="utf-8")
    pieces, place = [], 0
    with tempfile.TemporaryDirectory(prefix="goodword-tutorial-") as folder:
        reader = Reader(Path(folder))
        try:
            for block in blocks():
                printed = reader.follow(block)
                if printed is not None and not matches(block.text, printed):
                    for pattern, instead in _DIFFERS:
                        printed = pattern.sub(instead, printed)
                    pieces += [page[place : block.start], printed]
                    place = block.end
        finally:
            reader.leave()
    PAGE.write_text("".join([*pieces, page[place:]]), encoding="utf-8")


if __name__ == "__main__":
    renew()
