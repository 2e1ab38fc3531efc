"""The headers of a record are those of the contract."""

from __future__ import annotations

import msgspec
import pytest

from contracts.events import EVENT_TYPES, EventData, event_headers
from runtime.tracing import new_traceparent
from services.tracking.envelope import Envelope
from services.tracking.faults import Candidate
from services.tracking.records import headers_of, seal, stamp
from services.tracking.times import read_time


@pytest.mark.parametrize(
    "time",
    [
        "2017-03-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "2017-03-01T02:00:00.1239+02:00",
        "2017-03-01t00:00:00z",
        "1900-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("type", EVENT_TYPES[:3])
def test_headers_are_those_of_the_contract(time: str, type: str) -> None:
    time_ms, header = read_time(time)
    envelope = Envelope("1.0", type, "crm/acme", "id é", time, msgspec.convert({"programme": "p"}, EventData))
    trace = new_traceparent()
    sealed = seal(Candidate(0, envelope, time_ms, header))
    assert headers_of(sealed, stamp(1_500_000_000_123, trace)) == event_headers(
        type=type,
        source="crm/acme",
        id="id é",
        time_ms=time_ms,
        recorded_at_ms=1_500_000_000_123,
        traceparent=trace,
    )


def test_an_event_with_a_trace_of_its_own_keeps_it_and_its_extensions() -> None:
    own = new_traceparent()
    time_ms, header = read_time("2017-03-01T00:00:00Z")
    data = msgspec.convert({"programme": "p"}, EventData)
    envelope = Envelope("1.0", "deal.won", "s", "i", "2017-03-01T00:00:00Z", data, subject="about", traceparent=own)
    sealed = seal(Candidate(0, envelope, time_ms, header, (("ce_myext", b"5"),)))
    headers = dict(headers_of(sealed, stamp(0, new_traceparent())))
    assert headers["ce_traceparent"] == own.encode()
    assert headers["ce_subject"] == b"about"
    assert headers["ce_myext"] == b"5"
