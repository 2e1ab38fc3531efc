"""Files as they are read: lines of NDJSON, rows of CSV, with their line numbers. Memory stays flat.

`.gz` is unpacked on the way, `-` is standard input. How far a file was read is known in bytes, for the progress bar.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from contracts.errors import PermanentError, Problem
from goodword.importing.mapping import Dialect
from goodword.importing.mapping import Mapping as EventMapping
from goodword.importing.rows import Join, Row

STANDARD_INPUT: Final = "-"
JOIN_BYTES_MAX: Final = 256 * 1024 * 1024
"""A joined file is kept in memory."""
CELL_BYTES_MAX: Final = 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """One input file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._raw: IO[bytes] | None = None

    @property
    def size_bytes(self) -> int | None:
        """None for standard input."""
        return None if self.name == STANDARD_INPUT else Path(self.name).stat().st_size

    @property
    def read_bytes(self) -> int:
        """How much of the file, as it lies on the disk, was read so far."""
        if self._raw is None or self._raw.closed or not self._raw.seekable():
            return 0
        return self._raw.tell()

    def open(self) -> IO[bytes]:
        """Raises PermanentError when the file cannot be opened."""
        if self.name == STANDARD_INPUT:
            return sys.stdin.buffer
        try:
            raw = Path(self.name).open("rb", buffering=1024 * 1024)  # noqa: SIM115 - closed by the reader of the lines
            self._raw = raw
            is_packed = raw.read(2) == _GZIP_MAGIC if raw.seekable() else self.name.endswith(".gz")
            if raw.seekable():
                raw.seek(0)
            return io.BufferedReader(gzip.GzipFile(fileobj=raw), 1024 * 1024) if is_packed else raw
        except OSError as error:
            raise unreadable(self.name, error.strerror or str(error)) from error


def json_lines(source: Source) -> Iterator[tuple[int, bytes]]:
    """Line number (from 1) and line, without the line's end; blank lines are skipped."""
    with source.open() as file:
        try:
            for number, line in enumerate(file, 1):
                content = line.strip()
                if not content:
                    continue
                if number == 1:
                    refuse_utf_16(source.name, content)
                    content = content.removeprefix(b"\xef\xbb\xbf")
                    if content[:1] == b"[":
                        raise unreadable(
                            source.name, "it is a JSON array, not one event a line", "jq -c '.[]' unpacks it"
                        )
                yield number, content
        except (OSError, EOFError) as error:
            raise unreadable(source.name, str(error)) from error


def refuse_utf_16(name: str, beginning: bytes) -> None:
    """Raises PermanentError when the bytes begin as Windows begins UTF-16, which would be no line and no column."""
    if beginning.startswith(_UTF_16_MARKS):
        help = "`iconv -f UTF-16 -t UTF-8` makes it so; of a CSV file the mapping can say encoding: utf-16"
        raise unreadable(name, "it is UTF-16, not UTF-8", help)


def csv_rows(source: Source, dialect: Dialect) -> tuple[Row, Iterator[tuple[int, Row]]]:
    """The header, and line number (of the row's first line) and cells of each row; blank rows are skipped.

    Bytes that are not text of the encoding come as lone surrogates, which the mapper refuses row by row.
    """
    csv.field_size_limit(CELL_BYTES_MAX)
    encoding = "utf-8-sig" if dialect.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else dialect.encoding
    file = source.open()
    if encoding == "utf-8-sig" and isinstance(file, io.BufferedReader):
        refuse_utf_16(source.name, file.peek(2))
    text = io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)

    def following(read: Callable[[], list[str]]) -> list[str] | None:
        try:
            return read()
        except StopIteration:
            return None
        except (csv.Error, OSError, EOFError, UnicodeError) as error:
            raise unreadable(f"{source.name}:{reader.line_num}", str(error)) from error

    header = following(reader.__next__)
    if header is None:
        raise unreadable(source.name, "it is empty: the first line must name the columns")
    header = [name.strip() for name in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise unreadable(source.name, f"two columns are called {', '.join(twice)}")

    def rows() -> Iterator[tuple[int, Row]]:
        with text:
            while True:
                line = reader.line_num + 1
                cells = following(reader.__next__)
                if cells is None:
                    return
                if cells:
                    yield line, cells

    return header, rows()


def read_joins(mapping: EventMapping, folder: Path, places: Mapping[str, Path]) -> dict[str, Join]:
    """The joined files, whole.

    Args:
        mapping: Names the files, their key columns and their dialect.
        folder: Where they are looked for.
        places: Of a joined file, by its name in the mapping: looked for there instead.

    Raises:
        PermanentError: One cannot be read, lacks its key column, or has a key twice.
    """
    joins = {}
    for name, spec in mapping.join.items():
        path = places.get(name, folder / spec.file)
        if not path.is_file():
            raise unreadable(str(path), "the joined file is not there", f"name its place with --join {name}=PATH")
        if path.stat().st_size > JOIN_BYTES_MAX:
            raise unreadable(str(path), f"a joined file has at most {JOIN_BYTES_MAX // 2**20} MiB")
        header, rows = csv_rows(Source(str(path)), mapping.csv)
        if spec.key not in header:
            raise unreadable(str(path), f"it has no column {spec.key}", f"there are: {', '.join(header)}")
        key = list(header).index(spec.key)
        found: dict[str, Row] = {}
        for line, cells in rows:
            if len(cells) != len(header):
                raise unreadable(f"{path}:{line}", f"{len(cells)} cells where the header has {len(header)}")
            stripped = [cell.strip() for cell in cells]
            if found.setdefault(stripped[key], stripped) is not stripped:
                raise unreadable(f"{path}:{line}", f"the key {stripped[key]!r} stands there twice")
        joins[name] = Join(name, header, found)
    return joins


def unreadable(place: str, message: str, help: str = "") -> PermanentError:
    return PermanentError(Problem(code="unreadable-file", message=message, where=place, help=help))
