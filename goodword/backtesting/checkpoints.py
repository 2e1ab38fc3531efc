"""How far a run has come, on the disk: one SQLite file per partition with fold states, position and what was kept.

Promises:
- States, position and sums change together or not at all, so that a run which was killed goes on from its last
  checkpoint, and finds what it would have found.
- A partition that is done keeps its sums only. A checkpoint that cannot be read is thrown away and its partition
  replayed from the beginning: that costs time and no cent.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from contracts.errors import PermanentError, Problem
from goodword.backtesting.plan import Part, Plan

KEYS_PER_QUERY_MAX: Final = 500
_PARTS: Final = "parts.json"
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS progress (position INTEGER, events INTEGER, skipped INTEGER, is_done INTEGER, kept BLOB);
    CREATE TABLE IF NOT EXISTS states (side INTEGER, key BLOB, value BLOB, PRIMARY KEY (side, key)) WITHOUT ROWID;
"""


class Progress(msgspec.Struct, frozen=True):
    """How far one part has come.

    Attributes:
        position: Of the next record, or line.
        events: Replayed so far; `skipped` were no events of a known partner.
        kept: What the taker encoded; empty at the beginning.
    """

    position: int = 0
    events: int = 0
    skipped: int = 0
    is_done: bool = False
    kept: bytes = b""


class Run:
    """The folder of one run."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.path = folder / plan.name

    def begin(self, plan: Plan) -> None:
        """Start from nothing, whatever an earlier run has left. Raises PermanentError(`checkpoints-not-writable`)."""
        try:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
            # Not the plan as a whole, which knows the database's password.
            (self.path / _PARTS).write_bytes(msgspec.json.encode(plan.parts))
        except OSError as error:
            raise PermanentError(
                Problem(
                    code="checkpoints-not-writable",
                    message=f"the folder for checkpoints cannot be written: {error.strerror or error}",
                    where=str(self.path),
                )
            ) from error

    def resumed(self, plan: Plan) -> Plan | None:
        """The plan with the parts of the run that was stopped; None when there is none."""
        try:
            parts = msgspec.json.decode((self.path / _PARTS).read_bytes(), type=tuple[Part, ...])
        except (OSError, msgspec.MsgspecError):
            return None
        return msgspec.structs.replace(plan, parts=parts)

    def end(self) -> None:
        """Nothing of a finished run is kept."""
        shutil.rmtree(self.path, ignore_errors=True)

    def part(self, part: Part) -> PartFile:
        return PartFile(self.path / f"part-{part.number}.sqlite")


class PartFile:
    """The checkpoint of one part. Use as a context manager; one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._open()
            self._connection.execute("SELECT count(*) FROM progress, states").fetchone()
        except sqlite3.DatabaseError:
            with contextlib.suppress(AttributeError):
                self._connection.close()
            self._path.unlink(missing_ok=True)
            self._open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        # A power cut may cost a checkpoint, which costs time; a killed process costs nothing.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_SCHEMA)

    def progress(self) -> Progress:
        row = self._connection.execute("SELECT position, events, skipped, is_done, kept FROM progress").fetchone()
        return Progress() if row is None else Progress(row[0], row[1], row[2], bool(row[3]), row[4])

    def load(self, side: int, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """The states under these keys; None for those that there are not."""
        found: dict[bytes, bytes | None] = dict.fromkeys(keys)
        for first in range(0, len(keys), KEYS_PER_QUERY_MAX):
            chunk = keys[first : first + KEYS_PER_QUERY_MAX]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT key, value FROM states WHERE side = ? AND key IN ({marks})"  # noqa: S608 - marks only
            found.update(self._connection.execute(query, (side, *chunk)))
        return found

    def save(self, progress: Progress, dirty: Sequence[Mapping[bytes, bytes | None]]) -> None:
        """States of both sides (None deletes) and how far we are, all or nothing."""
        with self._transaction():
            for side, states in enumerate(dirty):
                self._connection.executemany(
                    "INSERT OR REPLACE INTO states VALUES (?, ?, ?)",
                    ((side, key, value) for key, value in states.items() if value is not None),
                )
                self._connection.executemany(
                    "DELETE FROM states WHERE side = ? AND key = ?",
                    ((side, key) for key, value in states.items() if value is None),
                )
            self._note(progress)

    def finish(self, progress: Progress) -> None:
        """The part is done: its states are of no use any more."""
        with self._transaction():
            self._connection.execute("DELETE FROM states")
            self._note(progress)

    def _note(self, progress: Progress) -> None:
        self._connection.execute("DELETE FROM progress")
        self._connection.execute("INSERT INTO progress VALUES (?, ?, ?, ?, ?)", msgspec.structs.astuple(progress))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
