"""The types for fast decoding must never say something else than the contract's own."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest

from contracts.events import EVENT_TYPES, EventData, Id, encode_data, event_headers
from contracts.ids import is_id
from runtime.tracing import new_traceparent
from services.tracking.envelope import Envelope
from services.tracking.faults import Candidate
from services.tracking.loose import LooseData, are_ids, ids_of
from services.tracking.records import headers_of, seal, stamp
from services.tracking.times import read_time

WHOLE: dict[str, Any] = {
    "programme": "p",
    "partner": "moses",
    "member": "m",
    "share_ppm": 500_000,
    "lead": {"id": "l", "channel": "web"},
    "deal": {"id": "d", "product": "GTX", "stage": "Won", "amount": {"minor": 5, "currency": "USD"}},
    "customer": {"id": "c", "name": "C", "employees": 3},
    "survey": {"kind": "nps", "score": 9},
    "activity": {"kind": "training"},
    "link": {"code": "abc"},
    "click_id": "x",
    "referral_code": "r",
    "coupon": "k",
    "period": "2017",
    "refund_id": "f",
    "profile": {"name": "N", "joined_at": "2017-03-01T00:00:00Z"},
    "attributes": {"b": 1, "a": "x"},
}


def id_paths(struct: Any) -> list[tuple[str, ...]]:
    hints = get_type_hints(struct, include_extras=True)
    paths: list[tuple[str, ...]] = []
    for name, hint in hints.items():
        parts = getattr(hint, "__args__", (hint,))
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)]
        if hint == Id or Id in parts:
            paths.append((name,))
        paths += [(name, *path) for part in inner for path in id_paths(part)]
    return paths


def test_they_encode_to_the_same_bytes() -> None:
    text = msgspec.json.encode(WHOLE)
    assert encode_data(msgspec.json.decode(text, type=EventData)) == msgspec.json.encode(
        msgspec.json.decode(text, type=LooseData)
    )


def test_every_field_that_is_an_id_is_among_those_checked() -> None:
    paths = id_paths(EventData)
    assert len(paths) >= 11
    found: list[str] = []
    ids_of(msgspec.convert(WHOLE, LooseData), found)
    wanted = []
    for path in paths:
        value: Any = WHOLE
        for name in path:
            value = value[name]
        wanted.append(value)
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("text", ["a", "a:b", "", "a\n", "é", "a" * 128, "a" * 129, "A-z.0_~/@+", "a b", "a\0"])
def test_many_ids_are_judged_as_one_by_one(text: str) -> None:
    assert are_ids([text]) == is_id(text)
    assert are_ids(["good", text, "good"]) == is_id(text)


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
    envelope = Envelope("1.0", type, "crm/acme", "id é", time, msgspec.convert({"programme": "p"}, LooseData))
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
    data = msgspec.convert({"programme": "p"}, LooseData)
    envelope = Envelope("1.0", "deal.won", "s", "i", "2017-03-01T00:00:00Z", data, subject="about", traceparent=own)
    sealed = seal(Candidate(0, envelope, time_ms, header, (("ce_myext", b"5"),)))
    headers = dict(headers_of(sealed, stamp(0, new_traceparent())))
    assert headers["ce_traceparent"] == own.encode()
    assert headers["ce_subject"] == b"about"
    assert headers["ce_myext"] == b"5"
