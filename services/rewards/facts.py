"""Ledger facts packed for the outbox, and unpacked as records for the bus.

Pure. A blob is the facts of one posting as a JSON array, compressed by zlib's fastest level: facts repeat
themselves, so twelve times less goes through the database and its write-ahead log, which costs more than packing.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final

import msgspec

from contracts.events import Headers, format_time
from contracts.facts import (
    LEDGER_SOURCE,
    REWARD_NOTICE,
    TRANSFER_POSTED,
    Fact,
    TransferPosted,
    decode_transfer_list,
    encode_facts,
)
from runtime.bus.port import Record

_COMPRESSION: Final = 1
_raw_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _FactHead(msgspec.Struct, frozen=True, gc=False):
    """What the record around a fact needs to know of it."""

    id: str
    partner: str
    time_ms: int
    posted_at_ms: int
    traceparent: str = ""
    notice: str = ""


_head_list_decoder: Final = msgspec.json.Decoder(list[_FactHead])
_TRANSFER_TYPE: Final = ("ce_type", TRANSFER_POSTED.encode())
_NOTICE_TYPE: Final = ("ce_type", REWARD_NOTICE.encode())
_VERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", LEDGER_SOURCE.encode())
BLOCK_HEADER: Final = "ce_ledgerblock"
HASH_HEADER: Final = "ce_ledgerhash"
_CONTENT_TYPE: Final = ("content-type", b"application/json")


def pack_facts(facts: Sequence[Fact]) -> bytes:
    return zlib.compress(encode_facts(facts), _COMPRESSION)


def unpack_facts(blob: bytes, posted_ids: AbstractSet[str] | None) -> list[TransferPosted]:
    """The transfers of a blob that were really posted; see `fact_records`."""
    records = fact_records(blob, posted_ids)
    return decode_transfer_list([record.value for record in records if _TRANSFER_TYPE in record.headers])


def fact_records(
    blob: bytes, posted_ids: AbstractSet[str] | None, seal: tuple[int, bytes] | None = None
) -> list[Record]:
    """The records for `goodword.ledger`: key partner, `ce_*` headers, the fact as it was packed.

    Args:
        blob: From `pack_facts`.
        posted_ids: The transfers that were really posted, each taken once; None for all of them.
        seal: The block that they are in, and its hash; None of what was posted before there was a chain.
    """
    sealed: Headers = () if seal is None else ((BLOCK_HEADER, b"%d" % seal[0]), (HASH_HEADER, seal[1].hex().encode()))
    text = zlib.decompress(blob)
    heads = _head_list_decoder.decode(text)
    values = _raw_list_decoder.decode(text)
    if posted_ids is None:
        return [_record(head, bytes(value), sealed) for head, value in zip(heads, values, strict=True)]
    rest = set(posted_ids)
    records = []
    for head, value in zip(heads, values, strict=True):
        if head.id in rest:
            # Of an id that came twice in one posting, the first one was posted.
            rest.discard(head.id)
            records.append(_record(head, bytes(value), sealed))
    return records


def _record(head: _FactHead, value: bytes, sealed: Headers) -> Record:
    headers: Headers = (
        _VERSION,
        _NOTICE_TYPE if head.notice else _TRANSFER_TYPE,
        _SOURCE,
        ("ce_id", head.id.encode()),
        ("ce_time", _time(head.time_ms)),
        ("ce_recordedat", _time(head.posted_at_ms)),
        _CONTENT_TYPE,
        *sealed,
    )
    if head.traceparent:
        headers = (*headers, ("ce_traceparent", head.traceparent.encode()))
    return Record(key=head.partner.encode(), value=value, headers=headers)


@lru_cache(maxsize=16_384)
def _time(time_ms: int) -> bytes:
    return format_time(time_ms).encode()
