"""Columns of values packed as PostgreSQL's `*_send` functions write them, each with its length before it.

Pure. Of such elements arrays are made (`packing.py`), and rows that are hashed (`chain/encoding.py`): both want a
big-endian int32 length, the bytes, and the length -1 for NULL.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Final

NULL: Final = b"\xff\xff\xff\xff"
TEXT_CACHE_MAX: Final = 100_000
POSTGRES_EPOCH_MS: Final = 946_684_800_000
"""2000-01-01, from which PostgreSQL counts microseconds."""
_BIGINT: Final = struct.Struct(">iq")


class _Texts(dict[str | None, bytes]):
    """Text to its packed element. Most texts of a batch repeat: programmes, rules, units, partners."""

    def __missing__(self, text: str | None) -> bytes:
        if text is None:
            return NULL
        packed = _sized(text.encode())
        if len(self) < TEXT_CACHE_MAX:
            self[text] = packed
        return packed


_texts: Final = _Texts()


def uuids(column: Sequence[str]) -> list[bytes]:
    """Of UUIDs as text. The lengths go into the hex, so that one `fromhex` packs the column."""
    packed = bytes.fromhex("00000010" + "00000010".join(column).replace("-", "")) if column else b""
    return _slices(packed, 20)


def optional_uuids(column: Sequence[str | None]) -> list[bytes]:
    """None is NULL."""
    return [NULL if text is None else _sized(bytes.fromhex(text.replace("-", ""))) for text in column]


def bigints(column: Sequence[int]) -> list[bytes]:
    return _slices(_pack_fixed("iq", 8, column), 12)


def integers(column: Sequence[int]) -> list[bytes]:
    return _slices(_pack_fixed("ii", 4, column), 8)


def times(column: Sequence[int]) -> list[bytes]:
    """Of milliseconds since 1970."""
    return bigints([(time_ms - POSTGRES_EPOCH_MS) * 1_000 for time_ms in column])


def optional_bigints(column: Sequence[int | None]) -> list[bytes]:
    """None is NULL."""
    return [NULL if value is None else _BIGINT.pack(8, value) for value in column]


def optional_times(column: Sequence[int | None]) -> list[bytes]:
    """Of milliseconds since 1970; None is NULL."""
    return [NULL if time_ms is None else _BIGINT.pack(8, (time_ms - POSTGRES_EPOCH_MS) * 1_000) for time_ms in column]


def texts(column: Sequence[str | None]) -> list[bytes]:
    """Of texts that repeat; None is NULL."""
    return list(map(_texts.__getitem__, column))


def unique_texts(column: Sequence[str | None]) -> list[bytes]:
    """Of texts that do not repeat, which would only fill the cache; None is NULL."""
    return [NULL if text is None else _sized(text.encode()) for text in column]


def _slices(packed: bytes, size: int) -> list[bytes]:
    return [packed[start : start + size] for start in range(0, len(packed), size)]


def _pack_fixed(code: str, size: int, column: Sequence[int]) -> bytes:
    elements: Iterable[int] = chain.from_iterable(zip(repeat(size), column, strict=False))
    return struct.pack(">" + code * len(column), *elements)


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
