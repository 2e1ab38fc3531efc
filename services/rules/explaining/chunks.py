"""How events are kept for explanations: records of one partner side by side, a few together in a compressed chunk.

Pure. A batch of the log is sorted by partner and cut into chunks, so that what one partner did over years lies in few
places, and everything else is found by two narrow indexes: event to chunk, partner to chunk. Broadcasts belong to every
partner of their partition and have a hash of their own.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from contracts.events import BROADCAST_TYPES
from contracts.ids import event_hash
from runtime.bus.port import Headers, Received

FORMAT: Final = 1
"""MessagePack of `[[offset, recorded at, key, value, [[header, value], …]], …]`, compressed by zlib. Frozen: another
way of keeping them gets another number."""
RECORDS_MAX: Final = 16
"""Of one chunk: enough to compress well, few enough to unpack for one of them."""
BROADCAST: Final = 0
"""In place of a partner's hash."""
_COMPRESSION: Final = 1
_BROADCASTS: Final = frozenset(name.encode() for name in BROADCAST_TYPES)

_Row = tuple[int, int, bytes, bytes, Headers]
_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(list[_Row])


class Chunk(NamedTuple):
    """Records that are kept together, by partner and then by offset.

    Attributes:
        first_offset: The lowest of them.
        partners, events: What its records are found by.
    """

    first_offset: int
    body: bytes
    partners: tuple[int, ...]
    events: tuple[int, ...]


def chunks_of(records: Sequence[Received]) -> tuple[list[Chunk], set[str]]:
    """The chunks of a run of records of one partition, and the sources of their events."""
    hashes: dict[bytes, int] = {}
    sources: set[str] = set()
    rows: list[tuple[int, int | None, Received]] = []
    for record in records:
        headers = dict(record.headers)
        if headers.get("ce_type") in _BROADCASTS:
            partner = BROADCAST
        else:
            partner = hashes.get(record.key) or hashes.setdefault(record.key, partner_hash(record.key))
        identity = identity_of(record)
        if identity is not None:
            sources.add(identity[0])
        rows.append((partner, None if identity is None else event_hash(*identity), record))
    rows.sort(key=lambda row: (row[0], row[2].offset))
    return [_chunk(rows[start : start + RECORDS_MAX]) for start in range(0, len(rows), RECORDS_MAX)], sources


def _chunk(rows: list[tuple[int, int | None, Received]]) -> Chunk:
    packed = [(each.offset, each.recorded_at_ms, each.key, each.value, each.headers) for _, _, each in rows]
    return Chunk(
        min(record.offset for _, _, record in rows),
        zlib.compress(_encode(packed), _COMPRESSION),
        tuple(dict.fromkeys(partner for partner, _, _ in rows)),
        tuple(dict.fromkeys(event for _, event, _ in rows if event is not None)),
    )


def unpack(format: int, body: bytes) -> list[Received]:
    """The records of a chunk. Raises ValueError for a format of a later version."""
    if format != FORMAT:
        raise ValueError(f"events are kept in format {format}, this version reads {FORMAT}")
    return [
        Received(offset, key, value, headers, recorded_at_ms)
        for offset, recorded_at_ms, key, value, headers in _decoder.decode(zlib.decompress(body))
    ]


def partner_hash(key: bytes) -> int:
    """A signed 64-bit hash of a record's key, never that of the broadcasts."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big", signed=True) or 1


def identity_of(record: Received) -> tuple[str, str] | None:
    """Source and id of the record's event; None when its headers do not tell."""
    headers = dict(record.headers)
    try:
        source, id = headers["ce_source"].decode(), headers["ce_id"].decode()
    except (KeyError, UnicodeDecodeError):
        return None
    return None if "\0" in source else (source, id)


def is_broadcast(record: Received) -> bool:
    """Whether the record is for every partner of its partition."""
    return dict(record.headers).get("ce_type") in _BROADCASTS
