"""An import from files to counts: read, map, order, send, and say what became of every line.

Promises: running the same import again changes nothing; a line that could not be taken is counted by name and
written with its reason to the rejects file; memory does not grow with the files.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from contracts.errors import PermanentError, Problem
from goodword.importing.batches import Batch, Place, batches
from goodword.importing.mapping import read_mapping
from goodword.importing.ordering import Placed, in_order
from goodword.importing.reading import STANDARD_INPUT, Source, csv_rows, json_lines, read_joins
from goodword.importing.rows import Rejected, Row, RowMapper
from goodword.importing.sending import Answer, Door, Rejection, send_all

ORIGINAL_BYTES_MAX: Final = 64 * 1024
"""Of a refused line, at most this much is kept in the rejects file."""


FIRST_REJECTED_MAX: Final = 3
SHOWN_MAX: Final = 30


class FirstRejected(msgspec.Struct, frozen=True):
    """One line or row that was refused, and why."""

    file: str
    line: int
    name: str
    field: str | None
    reason: str


class Summary(msgspec.Struct, kw_only=True):
    """What became of everything. `rows` are those of CSV files, 0 for NDJSON.

    Attributes:
        accepted, duplicates: What the door answered, in events.
        rejected: Lines and rows that gave nothing, plus events that the door refused.
        rejected_by: Name or code to how many.
        first_rejected: The first FIRST_REJECTED_MAX of each name, so that a few mistakes need no second run.
        repairs, flaws: By the mapping's names, in rows.
        seconds, wait_seconds: Until the last answer of the door; from then until all had reached the ledger.
    """

    files: list[str]
    dry_run: bool = False
    rows: int = 0
    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_by: dict[str, int] = {}
    first_rejected: list[FirstRejected] = []
    repairs: dict[str, int] = {}
    flaws: dict[str, int] = {}
    seconds: float = 0.0
    waited: bool = False
    wait_seconds: float = 0.0


class Sink(Protocol):
    """Where rejected lines go; `write` takes one object and may be called from two threads."""

    def write(self, entry: Mapping[str, object]) -> None: ...


class Progress(Protocol):
    """Called now and then, from the thread that reads or sends."""

    def reading(self, done_bytes: int, total_bytes: int | None) -> None: ...

    def sent(self, events: int, done_bytes: int, total_bytes: int | None) -> None: ...


Check = Callable[[Batch], Answer]
"""Judges a batch without sending it, as the door would."""


@dataclass(slots=True)
class Importer:
    """One import.

    Args:
        files: Names of files; `-` is standard input.
        mapping: Of CSV files; None for NDJSON.
        joins: Name of a joined file to its place, where that is not the folder of the first file.
        rejects: Takes what was refused.
    """

    files: Sequence[str]
    mapping: Path | None
    joins: Mapping[str, Path]
    rejects: Sink
    progress: Progress
    # Apart, because rows are read in a thread while answers come in.
    _rejected_rows: Counter[str] = field(default_factory=Counter)
    _rejected_events: Counter[str] = field(default_factory=Counter)
    _repairs: Counter[str] = field(default_factory=Counter)
    _flaws: Counter[str] = field(default_factory=Counter)
    _summary: Summary = field(default_factory=lambda: Summary(files=[]))
    _sources: list[Source] = field(default_factory=list)

    async def run(self, door: Door) -> Summary:
        """Send everything. Raises PermanentError or TransientError, see `Door.send` and `reading`."""
        started_s = time.monotonic()
        lines = self._prepare()
        await send_all(door, batches(lines), on_answer=self._on_answer)
        return self._finish(started_s)

    def check(self, check: Check) -> Summary:
        """Do all but send; for `--dry-run`. What is in the log already is not asked, so nothing is a duplicate."""
        started_s = time.monotonic()
        for batch in batches(self._prepare()):
            self._on_answer(batch, check(batch))
        self._summary.dry_run = True
        return self._finish(started_s)

    def _prepare(self) -> Iterator[tuple[Place, bytes]]:
        self._summary.files = list(self.files)
        self._sources = [Source(name) for name in self.files]
        for source in self._sources:
            if source.name != STANDARD_INPUT and not Path(source.name).is_file():
                is_folder = Path(source.name).is_dir()
                said = "it is a folder: name the files in it" if is_folder else "there is no such file"
                raise PermanentError(Problem(code="unreadable-file", message=said, where=source.name))
        if self.mapping is None:
            return self._json_lines()
        mapping = read_mapping(self.mapping)
        first = Path(self._sources[0].name).parent if self._sources[0].name != STANDARD_INPUT else Path()
        joins = read_joins(mapping, first, self.joins)
        opened = []
        # Headers are read before anything is sent: a mapping that does not fit the last file is told now.
        for source in self._sources:
            header, rows = csv_rows(source, mapping.csv)
            opened.append((source, rows, RowMapper(mapping, header, joins), header))
        placed = self._mapped(opened)
        return self._named(in_order(placed) if mapping.order == "time" else placed)

    def _json_lines(self) -> Iterator[tuple[Place, bytes]]:
        for source in self._sources:
            name = source.name
            for number, line in json_lines(source):
                yield (name, number), line

    def _mapped(self, opened: Sequence[tuple[Source, Iterator[tuple[int, Row]], RowMapper, Row]]) -> Iterator[Placed]:
        number = 0
        for file_index, (source, rows, mapper, header) in enumerate(opened):
            for line, cells in rows:
                self._summary.rows += 1
                if self._summary.rows % 1_000 == 0:
                    self.progress.reading(*self._position())
                found = mapper.map(cells)
                if isinstance(found, Rejected):
                    self._reject_row(source.name, line, found, dict(zip(header, cells, strict=False)))
                    continue
                for event in found:
                    number += 1
                    yield Placed(event.time_ms, file_index, number, line, event.body)
            self._repairs += mapper.counts.repairs
            self._flaws += mapper.counts.flaws

    def _named(self, placed: Iterator[Placed]) -> Iterator[tuple[Place, bytes]]:
        for event in placed:
            yield (self.files[event.file], event.line), event.body

    def _reject_row(self, file: str, line: int, rejected: Rejected, row: Mapping[str, str]) -> None:
        self._rejected_rows[rejected.name] += 1
        self._show_first(FirstRejected(file, line, rejected.name, rejected.column or None, rejected.reason))
        self.rejects.write(
            {
                "file": file,
                "line": line,
                "row": self._summary.rows,
                "field": rejected.column or None,
                "name": rejected.name,
                "reason": rejected.reason,
                "original": row,
            }
        )

    def _on_answer(self, batch: Batch, answer: Answer) -> None:
        self._summary.events += len(batch.lines)
        self._summary.accepted += answer.accepted
        self._summary.duplicates += answer.duplicates
        for rejection in answer.rejected:
            self._reject_event(batch, rejection)
        self.progress.sent(self._summary.events, *self._position())

    def _reject_event(self, batch: Batch, rejection: Rejection) -> None:
        file, line = batch.places[rejection.index]
        name = rejection.code or rejection.reason
        self._rejected_events[name] += 1
        self._show_first(FirstRejected(file, line, name, rejection.field or None, rejection.reason))
        original = batch.lines[rejection.index][:ORIGINAL_BYTES_MAX]
        try:
            shown: object = msgspec.json.decode(original)
        except (msgspec.DecodeError, UnicodeDecodeError):
            shown = original.decode(errors="replace")
        self.rejects.write(
            {
                "file": file,
                "line": line,
                "id": rejection.id,
                "field": rejection.field,
                "name": rejection.code,
                "reason": rejection.reason,
                "original": shown,
            }
        )

    def _show_first(self, rejected: FirstRejected) -> None:
        shown = self._summary.first_rejected
        if len(shown) < SHOWN_MAX and sum(one.name == rejected.name for one in shown) < FIRST_REJECTED_MAX:
            shown.append(rejected)

    def _position(self) -> tuple[int, int | None]:
        sizes = [source.size_bytes for source in self._sources]
        total = None if None in sizes else sum(size for size in sizes if size is not None)
        return sum(source.read_bytes for source in self._sources), total

    def _finish(self, started_s: float) -> Summary:
        rejected_by = self._rejected_rows + self._rejected_events
        self._summary.rejected_by = dict(rejected_by.most_common())
        self._summary.rejected = rejected_by.total()
        self._summary.repairs = dict(self._repairs.most_common())
        self._summary.flaws = dict(self._flaws.most_common())
        self._summary.seconds = round(time.monotonic() - started_s, 3)
        return self._summary
