"""From an accepted event to its identity and its record on the bus. Pure.

*Identity* is `source`, NUL, `id`, or BLAKE2b over that where it is long. *Digest* is CRC-32 and Adler-32 over type,
time in UTC and the data as we decoded it: the order of keys, white space and the way a time is written make no other
body; a changed field does. It finds a sender's mistake, not an attack, as only the sender itself could gain: hence
no cryptographic hash, which would cost more than all of the checks. Both live in Redis, so changing them makes what
was seen before look new: they are frozen.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final
from zlib import adler32, crc32

import msgspec

from contracts.events import EVENT_TYPES, EventData, format_time
from runtime.bus.port import Headers
from runtime.tracing import trace_id
from services.tracking.attribution import NAMED
from services.tracking.faults import Candidate

# "deterministic" sorts `attributes`, the only part without an order of its own.
IDENTITY_BYTES_MAX: Final = 64
"""Longer ones are hashed; a hash begins with NUL, which no source does, so the two kinds never meet."""

_SPECVERSION: Final = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Final = ("content-type", b"application/json")
_TYPES: Final = {type: ("ce_type", type.encode()) for type in EVENT_TYPES}
_two_sums: Final = struct.Struct(">II").pack
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Sealed(msgspec.Struct, gc=False):
    """A candidate with its identity, its digest (8 bytes) and its data as it goes to the log."""

    candidate: Candidate
    identity: bytes
    digest: bytes
    value: bytes


class Stamp(msgspec.Struct, frozen=True):
    """What all events of one request share: when it was taken, and its trace; each with the header it makes."""

    recorded_at_ms: int
    recorded_at: tuple[str, bytes]
    trace: str
    traceparent: tuple[str, bytes]


def stamp(recorded_at_ms: int, traceparent: str) -> Stamp:
    return Stamp(
        recorded_at_ms,
        ("ce_recordedat", format_time(recorded_at_ms).encode()),
        traceparent,
        ("ce_traceparent", traceparent.encode()),
    )


def seal(candidate: Candidate) -> Sealed:
    """Identity, digest and encoded data. A named partner is marked as such here, so that data is encoded once."""
    envelope = candidate.envelope
    data = envelope.data
    if data.partner is not None:
        data.attribution = NAMED
    value = _encode(data)
    name = f"{envelope.source}\0{envelope.id}".encode()
    identity = name if len(name) <= IDENTITY_BYTES_MAX else b"\0" + blake2b(name, digest_size=32).digest()
    body = b"%b\n%b\n%b" % (envelope.type.encode(), candidate.time, value)
    return Sealed(candidate, identity, _two_sums(crc32(body), adler32(body)), value)


def encode_changed(data: EventData) -> bytes:
    """The data again, after attribution or a merged profile changed it."""
    return _encode(data)


def headers_of(sealed: Sealed, stamp: Stamp) -> Headers:
    """As `contracts.events.event_headers` makes them, then the sender's further context attributes."""
    envelope = sealed.candidate.envelope
    sent = envelope.traceparent
    headers: Headers = (
        _SPECVERSION,
        _TYPES[envelope.type],
        ("ce_source", envelope.source.encode()),
        ("ce_id", envelope.id.encode()),
        ("ce_time", sealed.candidate.time),
        stamp.recorded_at,
        _CONTENT_TYPE,
        stamp.traceparent if sent is None or not trace_id(sent) else ("ce_traceparent", sent.encode()),
    )
    if envelope.subject is None and envelope.dataschema is None and envelope.tracestate is None:
        return headers + sealed.candidate.extensions
    further = (
        ("ce_subject", envelope.subject),
        ("ce_dataschema", envelope.dataschema),
        ("ce_tracestate", envelope.tracestate),
    )
    named = tuple((name, text.encode()) for name, text in further if text is not None)
    return headers + named + sealed.candidate.extensions
