"""A journal file as Parquet: amounts as decimals and integers, never floats; needs pyarrow (`goodword[parquet]`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from contracts.errors import PermanentError, Problem
from services.rewards.journal.lines import AMOUNT_SCALE, Line

SUFFIX: Final = ".parquet"
GROUP_LINES: Final = 20_000
"""Lines of a row group: fixed, because the bytes depend on it."""
DECIMAL_DIGITS: Final = 38

_TYPES: Final = {
    "booked_on": "date32",
    "booked_at": "time",
    "effective_at": "time",
    "line": "int8",
    "amount": "decimal",
    "amount_minor": "int64",
    "revision": "int32",
}
"""Of columns that are not text."""


def check_parquet() -> None:
    """Raises PermanentError (`pyarrow-missing`)."""
    try:
        import pyarrow.parquet  # noqa: F401 # only whether it is there
    except ImportError as error:
        raise PermanentError(
            Problem(
                code="pyarrow-missing",
                message="Parquet files need pyarrow, which is not installed",
                help="make parquet, or pip install 'goodword[parquet]'; or export with --format csv",
            )
        ) from error


class ParquetFile:
    """Writes lines; whole when the block ends without an error."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {
            "date32": pa.date32(),
            "time": pa.timestamp("ms", tz="UTC"),
            "int8": pa.int8(),
            "int32": pa.int32(),
            "int64": pa.int64(),
            "decimal": pa.decimal128(DECIMAL_DIGITS, AMOUNT_SCALE),
        }
        self._arrow = pa
        self._schema = pa.schema([(name, kinds.get(_TYPES.get(name, ""), pa.string())) for name in Line._fields])
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd", version="2.6")
        self._waiting: list[Line] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_group(self._waiting)
        self._writer.close()
        if kind is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()

    def write(self, lines: Sequence[Line]) -> None:
        self._waiting += lines
        while len(self._waiting) >= GROUP_LINES:
            self._write_group(self._waiting[:GROUP_LINES])
            del self._waiting[:GROUP_LINES]

    def _write_group(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        # A decimal of fewer places than the column fits into it exactly; one of more would raise.
        columns: list[Any] = [
            self._arrow.array(column, type=self._schema.field(name).type)
            for name, column in zip(Line._fields, zip(*lines, strict=True), strict=True)
        ]
        self._writer.write_table(
            self._arrow.Table.from_arrays(columns, schema=self._schema), row_group_size=GROUP_LINES
        )
