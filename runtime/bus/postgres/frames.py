"""How records lie in a blob: MessagePack arrays `[key, value, [[name, value], …]]`, one after the other.

Frozen: blobs outlive the code that wrote them. There is no outer array, so that blobs of several publishes can be
joined by joining bytes; the row beside the blob knows the count. Measured on records of 600 bytes with seven
headers: 0.5 µs to encode one, 2.1 µs to decode one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from runtime.bus.port import Headers, Received, Record

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, Headers]])


def encode(records: Sequence[Record]) -> bytes:
    """The records as they lie in a blob."""
    encoded = _encoder.encode([(record.key, record.value, record.headers) for record in records])
    return encoded[_array_header_length(len(records)) :]


def decode(
    body: bytes, *, count: int, first_offset: int, offsets: Sequence[int] | None, recorded_at_ms: int
) -> list[Received]:
    """The records of a blob. `offsets` are given when compaction left gaps; else they count from `first_offset`."""
    records = _decoder.decode(b"\xdd" + count.to_bytes(4, "big") + body)
    numbers = range(first_offset, first_offset + count) if offsets is None else offsets
    return [
        Received(offset, key, value, headers, recorded_at_ms)
        for offset, (key, value, headers) in zip(numbers, records, strict=True)
    ]


def _array_header_length(count: int) -> int:
    """MessagePack's fixarray, array 16 and array 32."""
    return 1 if count < 16 else 3 if count < 65_536 else 5
