"""From an accepted event to its identity and its record on the bus. Pure.

*Identity* is BLAKE2b-128 over `source`, NUL, `id`. *Digest* is BLAKE2b-64 over type, time in UTC and the data as we
decoded it: the order of keys, white space and the way a time is written make no other body; a changed field
does. Both live in Redis, so changing them makes what was seen before look new: they are frozen.
"""

from __future__ import annotations

from datetime import UTC
from hashlib import blake2b
from typing import Final

import msgspec

from contracts.events import EventData, format_time
from runtime.bus.port import Headers
from runtime.tracing import accept_traceparent
from services.tracking.attribution import NAMED
from services.tracking.faults import Candidate

# "deterministic" sorts `attributes`, the only part without an order of its own.
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Sealed(msgspec.Struct, gc=False):
    """A candidate with its identity (16 bytes), its digest (8 bytes) and its data as it goes to the log."""

    candidate: Candidate
    identity: bytes
    digest: bytes
    time: bytes
    value: bytes


class Stamp(msgspec.Struct, frozen=True):
    """What all events of one request share."""

    recorded_at_ms: int
    recorded_at: bytes
    traceparent: str


def stamp(recorded_at_ms: int, traceparent: str) -> Stamp:
    return Stamp(recorded_at_ms, format_time(recorded_at_ms).encode(), traceparent)


def seal(candidate: Candidate) -> Sealed:
    """Identity, digest and encoded data. A named partner is marked as such here, so that data is encoded once."""
    envelope = candidate.envelope
    data = envelope.data
    if data.partner is not None:
        data.attribution = NAMED
    value = _encode(data)
    moment = envelope.time
    if moment.tzinfo is UTC:
        time = f"{moment.isoformat(timespec='milliseconds')[:23]}Z".encode()
    else:
        time = format_time(candidate.time_ms).encode()
    identity = blake2b(f"{envelope.source}\0{envelope.id}".encode(), digest_size=16).digest()
    digest = blake2b(b"%b\n%b\n%b" % (envelope.type.encode(), time, value), digest_size=8).digest()
    return Sealed(candidate, identity, digest, time, value)


def encode_changed(data: EventData) -> bytes:
    """The data again, after attribution or a merged profile changed it."""
    return _encode(data)


def headers_of(sealed: Sealed, stamp: Stamp) -> Headers:
    """As `contracts.events.event_headers` makes them, then the sender's further context attributes."""
    envelope = sealed.candidate.envelope
    sent = envelope.traceparent
    traceparent = stamp.traceparent if sent is None else _own_or(sent, stamp.traceparent)
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_id", envelope.id.encode()),
        ("ce_time", sealed.time),
        ("ce_recordedat", stamp.recorded_at),
        ("content-type", b"application/json"),
        ("ce_traceparent", traceparent.encode()),
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


def _own_or(sent: str, fallback: str) -> str:
    return sent if accept_traceparent(sent) == sent else fallback
