"""Events as they come in: one, an array, a CloudEvents batch, or NDJSON, cut into elements.

Pure. `read_envelopes` decodes a whole body in one go, which is three times cheaper than one by one; when a single
element is not exactly as we want it, it gives up (None) and `read_elements` cuts the body into pieces that
`diagnose` looks at one by one. Both count before they build, so that a small body of five million numbers is refused
without five million objects in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from contracts.errors import PermanentError, Problem
from contracts.events import EventData, ids_of
from contracts.ids import are_ids

EVENT_ID_LENGTH_MAX: Final = 256
COMMAS_HARMLESS: Final = 200_000
"""A body with fewer commas than this cannot have so many elements that memory suffers."""

Context = Annotated[str, Meta(max_length=1024)]


class Shape(Enum):
    """What the content type promises."""

    ONE = "one"
    MANY = "many"
    ONE_OR_MANY = "one or many"
    LINES = "lines"


SHAPES: Final = {
    "application/json": Shape.ONE_OR_MANY,
    "application/cloudevents+json": Shape.ONE,
    "application/cloudevents-batch+json": Shape.MANY,
    "application/x-ndjson": Shape.LINES,
    "application/ndjson": Shape.LINES,
    "application/jsonl": Shape.LINES,
}
"""Content type to shape; any other content type is answered 415."""


class Envelope(msgspec.Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A CloudEvent 1.0 in structured mode whose data is ours; ids and time are checked apart (`ids_of`, `times`)."""

    specversion: str
    type: str
    source: str
    id: Annotated[str, Meta(min_length=1, max_length=EVENT_ID_LENGTH_MAX)]
    time: str
    data: EventData
    datacontenttype: Context | None = None
    dataschema: Context | None = None
    subject: Context | None = None
    traceparent: Context | None = None
    tracestate: Context | None = None


class TooMany(PermanentError):
    """More elements than one request may have."""

    def __init__(self, events_max: int) -> None:
        super().__init__(
            Problem(
                code="too-many-events",
                message=f"a request may have at most {events_max:,} events",
                help="send several smaller requests",
            )
        )


class Malformed(PermanentError):
    """The body as a whole is not what its content type says."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(Problem(code="malformed-json", message=message, where="body", help=help))


_one: Final = msgspec.json.Decoder(Envelope)
_many: Final = msgspec.json.Decoder(list[Envelope])
_raw_one: Final = msgspec.json.Decoder(msgspec.Raw)
_raw_many: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MISFITS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Whatever msgspec raises for bytes that are not what the decoder wants."""


def read_envelopes(body: bytes, shape: Shape, events_max: int) -> list[Envelope] | None:
    """All events of the body, or None when at least one of them needs a closer look.

    Raises:
        TooMany: More than `events_max` events, all of them well formed.
    """
    try:
        if shape is Shape.LINES:
            line_count = body.count(b"\n") + (not body.endswith(b"\n"))
            if line_count > events_max:
                return None
            envelopes = _one.decode_lines(body)
            # Two values on one line are decoded as well: only as many values as lines are surely one a line.
            if len(envelopes) != line_count:
                return None
        elif _is_array(body):
            if shape is Shape.ONE:
                return None
            envelopes = _many.decode(body)
        else:
            if shape is Shape.MANY:
                return None
            envelopes = [_one.decode(body)]
    except _MISFITS:
        return None
    if len(envelopes) > events_max:
        raise TooMany(events_max)
    ids: list[str] = []
    for envelope in envelopes:
        ids.append(envelope.source)
        ids_of(envelope.data, ids)
    return envelopes if are_ids(ids) else None


def read_envelope(element: bytes) -> Envelope:
    """One event that is known to be well formed. Raises msgspec.ValidationError else."""
    return _one.decode(element)


def read_elements(body: bytes, shape: Shape, events_max: int) -> list[bytes]:
    """The body cut into its elements, each still undecoded; for lines, also those that are no JSON.

    Raises:
        Malformed: No JSON, or one event where many were promised, or the other way round.
        TooMany: More than `events_max` elements.
    """
    if not body.strip():
        raise Malformed("the body is empty", "send one event, an array of events, or one event a line")
    if shape is Shape.LINES:
        return _lines(body, events_max)
    is_array = _is_array(body)
    if is_array and shape is Shape.ONE:
        raise Malformed(
            "application/cloudevents+json is one event, not an array", "use application/cloudevents-batch+json"
        )
    if not is_array and shape is Shape.MANY:
        raise Malformed("application/cloudevents-batch+json is an array of events", "use application/cloudevents+json")
    if is_array and body.count(b",") > COMMAS_HARMLESS:
        _refuse_too_many(body, events_max)
    try:
        elements = _raw_many.decode(body) if is_array else [_raw_one.decode(body)]
    except RecursionError as error:
        raise Malformed("JSON is nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(_said(error)) from error
    if len(elements) > events_max:
        raise TooMany(events_max)
    return [bytes(element) for element in elements]


def malformed_reason(error: Exception) -> str:
    """What a decoder said about bytes that are no JSON, as a sentence of ours."""
    return "JSON is nested too deeply" if isinstance(error, RecursionError) else _said(error)


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"JSON is UTF-8, and byte {error.object[error.start]:#04x} is not"
    text = str(error)
    return "JSON is malformed: it ends too early" if text == "Input data was truncated" else text


def _is_array(body: bytes) -> bool:
    return body[:64].lstrip()[:1] == b"[" or body.lstrip()[:1] == b"["


def _lines(body: bytes, events_max: int) -> list[bytes]:
    lines: list[bytes] = []
    for line in _split(body):
        if stripped := line.strip():
            if len(lines) == events_max:
                raise TooMany(events_max)
            lines.append(stripped)
    return lines


def _split(body: bytes) -> Iterator[bytes]:
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        yield body[start:end]
        start = end + 1
    yield body[start:]


def _refuse_too_many(body: bytes, events_max: int) -> None:
    """Count the elements of an array, up to one too many. Says nothing about malformed JSON: the decoder will."""
    decoder = json.JSONDecoder()
    try:
        text = body.decode()
        at = text.index("[") + 1
        for _ in range(events_max):
            _, at = decoder.raw_decode(text, _skip(text, at))
            at = _skip(text, at)
            if text[at] != ",":
                return
            at += 1
    except (ValueError, IndexError, RecursionError):
        return
    raise TooMany(events_max)


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
