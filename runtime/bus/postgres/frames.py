"""How records lie in a blob: segments, one after the other, each `length, [[[key, value, [index, …]], …], table]`.

The length is four bytes, the rest MessagePack. The records of one publish share most of their headers: these are
written once, in the table `[[name, value], …]`, and each record says by index which are its own. That makes a blob a
third smaller and reading it, nearly twice as fast; publishing costs 1.5 µs a record more. Frozen:
blobs outlive the code that wrote them. There is nothing around the segments, so that blobs of several publishes can be
joined by joining bytes; the row beside the blob knows the count. Measured on events of 530 bytes with eight headers:
330 bytes, 2.2 µs to encode one, 2.3 µs to decode one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count as counting
from typing import Final

import msgspec

from runtime.bus.port import Received, Record

Segment = tuple[list[tuple[bytes, bytes, list[int]]], list[tuple[str, bytes]]]

_LENGTH_BYTES: Final = 4
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Segment)


def encode(records: Sequence[Record]) -> bytes:
    """The records as they lie in a blob."""
    table: defaultdict[tuple[str, bytes], int] = defaultdict(counting().__next__)
    index_of = table.__getitem__
    rows = [(record.key, record.value, tuple(map(index_of, record.headers))) for record in records]
    body = _encoder.encode((rows, list(table)))
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def decode(
    body: bytes, *, count: int, first_offset: int, offsets: Sequence[int] | None, recorded_at_ms: int
) -> list[Received]:
    """The records of a blob. `offsets` are given when compaction left gaps; else they count from `first_offset`.

    Raises:
        ValueError: There are not `count` records in it.
    """
    numbers = range(first_offset, first_offset + count) if offsets is None else offsets
    view = memoryview(body)
    records: list[Received] = []
    start = 0
    while start < len(view):
        end = start + _LENGTH_BYTES + int.from_bytes(view[start : start + _LENGTH_BYTES], "big")
        rows, table = _decoder.decode(view[start + _LENGTH_BYTES : end])
        start = end
        header_at = table.__getitem__
        found = numbers[len(records) : len(records) + len(rows)]
        records += [
            Received(offset, key, value, tuple(map(header_at, indexes)), recorded_at_ms)
            for offset, (key, value, indexes) in zip(found, rows, strict=True)
        ]
    if len(records) != count:
        raise ValueError(f"a blob of {count} records has {len(records)}")
    return records
