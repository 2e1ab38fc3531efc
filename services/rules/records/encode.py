"""From decisions to records of the bus: CloudEvents in binary mode, keyed by partner.

Pure. The value is the decision's frozen bytes; the id is the derived one, so that a record that is published twice
is the same record to whoever drops repeats. Time and trace context are the event's.
"""

from __future__ import annotations

from typing import Final

from contracts.decisions import DECISION_DENIED, DECISION_GRANTED, DECISIONS_SOURCE, Decision, encode_decision
from contracts.events import format_time
from runtime.bus.port import Headers, Record
from services.rules.fold import FoldResult

_SPECVERSION: Final = ("ce_specversion", b"1.0")
_SOURCE: Final = ("ce_source", DECISIONS_SOURCE.encode())
_GRANTED: Final = ("ce_type", DECISION_GRANTED.encode())
_DENIED: Final = ("ce_type", DECISION_DENIED.encode())
_CONTENT_TYPE: Final = ("content-type", b"application/json")


def decision_record(decision: Decision, value: bytes, now_ms: int) -> Record:
    """The record of one decision whose bytes are known."""
    headers: Headers = (
        _SPECVERSION,
        _GRANTED if decision.granted else _DENIED,
        _SOURCE,
        ("ce_id", decision.id.encode()),
        ("ce_time", format_time(decision.time_ms).encode()),
        ("ce_recordedat", format_time(now_ms).encode()),
        _CONTENT_TYPE,
    )
    return Record(decision.partner.encode(), value, headers)


def decision_records(result: FoldResult, now_ms: int) -> list[Record]:
    """The records of all decisions of a batch, in order; `now_ms` says when they were recorded."""
    recorded_at = ("ce_recordedat", format_time(now_ms).encode())
    records: list[Record] = []
    time_ms = -1
    time = ("ce_time", b"")
    for decision, traceparent in zip(result.decisions, result.traceparents, strict=True):
        if decision.time_ms != time_ms:
            # Decisions of one event follow each other, so most of them share the formatted time.
            time_ms = decision.time_ms
            time = ("ce_time", format_time(time_ms).encode())
        headers: Headers = (
            _SPECVERSION,
            _GRANTED if decision.granted else _DENIED,
            _SOURCE,
            ("ce_id", decision.id.encode()),
            time,
            recorded_at,
            _CONTENT_TYPE,
        )
        if traceparent:
            headers = (*headers, ("ce_traceparent", traceparent.encode()))
        records.append(Record(decision.partner.encode(), encode_decision(decision), headers))
    return records
