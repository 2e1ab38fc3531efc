"""Columns packed as PostgreSQL's binary arrays, by hand.

psycopg dumps a list element by element, which costs 24 µs a transfer; packing whole columns costs about two.
The format is that of `array_send`: dimensions, has-null flag, element type, length, lower bound, then each
element with its length (src/backend/utils/adt/arrayfuncs.c); elements as their types' `*_send` functions write them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import ClassVar, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

TEXT_CACHE_MAX: Final = 100_000
_POSTGRES_EPOCH_MS: Final = 946_684_800_000
"""2000-01-01, from which PostgreSQL counts microseconds."""
_HEADER: Final = struct.Struct(">iiIii")
_BIGINT: Final = struct.Struct(">iq")
_NULL: Final = b"\xff\xff\xff\xff"
_SHORT_LENGTHS: Final = ["\0\0\0" + chr(length) for length in range(128)]
"""The packed length of a text by its length, as ASCII."""


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


class Packed(bytes):
    """The bytes of one array; the subclass says of what, and psycopg is told by its being made."""

    __slots__ = ()
    element_oid: ClassVar[int]

    def __init_subclass__(cls, *, element_oid: int, array_oid: int) -> None:
        cls.element_oid = element_oid
        # For all connections: these classes are nobody else's.
        psycopg.adapters.register_dumper(cls, type(f"{cls.__name__}Dumper", (_PackedDumper,), {"oid": array_oid}))


class UuidArray(Packed, element_oid=2950, array_oid=2951): ...


class BigintArray(Packed, element_oid=20, array_oid=1016): ...


class IntegerArray(Packed, element_oid=23, array_oid=1007): ...


class TextArray(Packed, element_oid=25, array_oid=1009): ...


class TimestamptzArray(Packed, element_oid=1184, array_oid=1185): ...


class _Texts(dict[str | None, bytes]):
    """Text to its packed element. Most texts of a batch repeat: programmes, rules, units, partners."""

    def __missing__(self, text: str | None) -> bytes:
        if text is None:
            return _NULL
        packed = _sized(text.encode())
        if len(self) < TEXT_CACHE_MAX:
            self[text] = packed
        return packed


_texts: Final = _Texts()


def uuids(column: Sequence[str]) -> UuidArray:
    """Of UUIDs as text. The lengths go into the hex, so that one `fromhex` packs the column."""
    elements = bytes.fromhex("00000010" + "00000010".join(column).replace("-", "")) if column else b""
    return UuidArray(_head(UuidArray, len(column)) + elements)


def bigints(column: Sequence[int]) -> BigintArray:
    return BigintArray(_head(BigintArray, len(column)) + _pack_fixed("iq", 8, column))


def integers(column: Sequence[int]) -> IntegerArray:
    return IntegerArray(_head(IntegerArray, len(column)) + _pack_fixed("ii", 4, column))


def times(column: Sequence[int]) -> TimestamptzArray:
    """Of milliseconds since 1970."""
    micros = [(time_ms - _POSTGRES_EPOCH_MS) * 1_000 for time_ms in column]
    return TimestamptzArray(_head(TimestamptzArray, len(column)) + _pack_fixed("iq", 8, micros))


def optional_bigints(column: Sequence[int | None]) -> BigintArray:
    """None is NULL."""
    elements = [_NULL if value is None else _BIGINT.pack(8, value) for value in column]
    return BigintArray(_head(BigintArray, len(column)) + b"".join(elements))


def optional_times(column: Sequence[int | None]) -> TimestamptzArray:
    """Of milliseconds since 1970; None is NULL."""
    elements = [
        _NULL if time_ms is None else _BIGINT.pack(8, (time_ms - _POSTGRES_EPOCH_MS) * 1_000) for time_ms in column
    ]
    return TimestamptzArray(_head(TimestamptzArray, len(column)) + b"".join(elements))


def texts(column: Sequence[str | None]) -> TextArray:
    """Of texts that repeat; None is NULL."""
    return TextArray(_head(TextArray, len(column)) + b"".join(map(_texts.__getitem__, column)))


def unique_texts(column: Sequence[str | None]) -> TextArray:
    """Of texts that do not repeat, which would only fill the cache; None is NULL."""
    if column.count(None) == len(column):
        return TextArray(_head(TextArray, len(column)) + _NULL * len(column))
    return TextArray(_head(TextArray, len(column)) + (_short_ascii(column) or b"".join(map(_packed, column))))


def _short_ascii(column: Sequence[str | None]) -> bytes | None:
    """Packed as a whole, at a quarter of the cost, where every text is short ASCII as ids are: its length in characters
    is that in bytes. None where one is not.
    """
    try:
        joined = "".join([_SHORT_LENGTHS[len(text)] + text for text in column if text is not None])
    except IndexError:
        return None
    return joined.encode() if joined.isascii() and None not in column else None


def _packed(text: str | None) -> bytes:
    return _NULL if text is None else _sized(text.encode())


def _head(array: type[Packed], count: int) -> bytes:
    # An empty array has no dimension at all.
    return _HEADER.pack(1, 1, array.element_oid, count, 1) if count else struct.pack(">iiI", 0, 0, array.element_oid)


def _pack_fixed(code: str, size: int, column: Sequence[int]) -> bytes:
    elements: Iterable[int] = chain.from_iterable(zip(repeat(size), column, strict=False))
    return struct.pack(">" + code * len(column), *elements)


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
