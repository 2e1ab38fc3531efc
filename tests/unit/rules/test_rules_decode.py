"""Records become events, or a problem each that names the place; one bad record never costs its neighbours."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import EventData, Headers, decode_data, encode_data, event_headers, event_of
from runtime.bus.port import Received
from services.rules.records.decode import decode_records

GOOD_DATA = b'{"programme":"p","partner":"ana","deal":{"id":"d1","amount":{"minor":100,"currency":"USD"}}}'


def headers(**changed: bytes | None) -> Headers:
    made = dict(
        event_headers(
            type="deal.won", source="crm/acme", id="e1", time_ms=1_488_326_400_000, recorded_at_ms=0, traceparent="tp"
        )
    )
    for name, value in changed.items():
        if value is None:
            made.pop(name.replace("content_type", "content-type"))
        else:
            made[name] = value
    return tuple(made.items())


def record(value: bytes = GOOD_DATA, given_headers: Headers | None = None, offset: int = 0) -> Received:
    return Received(offset, b"ana", value, headers() if given_headers is None else given_headers, 0)


def test_a_batch_is_decoded_as_each_record_would_be_alone() -> None:
    records = [record(offset=offset) for offset in range(3)]
    decoded = decode_records(records)
    assert decoded.events == [event_of(each.headers, decode_data(each.value)) for each in records]
    assert decoded.unreadable == []
    assert decoded.events[0].traceparent == "tp"


POISON = {
    "not JSON": (record(b"{"), "malformed-json"),
    "not UTF-8": (record(b'{"programme":"\xff"}'), "malformed-json"),
    "a list": (record(b"[]"), "invalid-data"),
    "two values, joined as a list would be": (record(GOOD_DATA + b"," + GOOD_DATA), "malformed-json"),
    "an unknown field": (record(b'{"programme":"p","prtner":"x"}'), "invalid-data"),
    "a float amount": (
        record(b'{"programme":"p","partner":"a","deal":{"id":"d","amount":{"minor":1.5,"currency":"USD"}}}'),
        "invalid-data",
    ),
    "an id with a colon": (record(b'{"programme":"p","partner":"a:b"}'), "invalid-data"),
    "a won deal without a deal": (record(b'{"programme":"p","partner":"a"}'), "missing-field"),
    "a won deal without its amount": (record(b'{"programme":"p","partner":"a","deal":{"id":"d"}}'), "missing-field"),
    "an activation without a rule set": (
        record(b'{"programme":"p"}', headers(ce_type=b"ruleset.activated")),
        "missing-field",
    ),
    "a survey of nobody": (
        record(b'{"programme":"p","survey":{"kind":"nps","score":9}}', headers(ce_type=b"survey.answered")),
        "missing-field",
    ),
    "no headers": (record(given_headers=()), "missing-header"),
    "no id": (record(given_headers=headers(ce_id=None)), "missing-header"),
    "an unknown type": (record(given_headers=headers(ce_type=b"deal.wonn")), "unknown-type"),
    "a time without offset": (record(given_headers=headers(ce_time=b"2017-03-01T00:00:00")), "invalid-time"),
    "no time at all": (record(given_headers=headers(ce_time=b"yesterday")), "invalid-time"),
    "a source that is not UTF-8": (record(given_headers=headers(ce_source=b"\xff")), "invalid-header"),
}


@pytest.mark.parametrize("poison", POISON)
def test_a_poison_record_is_named_and_its_neighbours_are_read(poison: str) -> None:
    bad, code = POISON[poison]
    before, after = record(offset=1), record(offset=3)
    decoded = decode_records([before, bad, after])
    assert [(found, problem.code) for found, problem in decoded.unreadable] == [(bad, code)]
    assert decoded.records == [before, after]
    assert len(decoded.events) == 2


def test_an_event_of_nobody_waits_to_be_claimed_and_is_no_poison() -> None:
    nobody = Received(
        1, b"unattributed", b'{"programme":"p","lead":{"id":"l"}}', headers(ce_type=b"lead.registered"), 0
    )
    decoded = decode_records([record(), nobody])
    assert (len(decoded.events), decoded.unreadable) == (1, [])
    decoded = decode_records([record(b"{"), nobody, record()])
    assert (len(decoded.events), len(decoded.unreadable)) == (1, 1)


@given(st.lists(st.tuples(st.binary(max_size=40), st.dictionaries(st.text(max_size=8), st.binary(max_size=20)))))
def test_every_record_is_an_event_or_has_a_problem(
    raw: list[tuple[bytes, dict[str, bytes]]],
) -> None:
    records = [
        Received(offset, b"", value, tuple(({**dict(headers()), **more}).items()), 0)
        for offset, (value, more) in enumerate(raw)
    ]
    decoded = decode_records(records)
    assert len(decoded.events) == len(decoded.records)
    assert len(decoded.events) + len(decoded.unreadable) == len(records)


def test_an_activation_and_a_partner_event_need_only_what_they_have() -> None:
    activation = record(
        b'{"programme":"p","ruleset":{"revision":1,"digest":"d","effective_from_ms":0,"source_text":"x"}}',
        headers(ce_type=b"ruleset.activated"),
    )
    approved = record(encode_data(EventData(programme="p", partner="ana")), headers(ce_type=b"partner.approved"))
    decoded = decode_records([activation, approved])
    assert [event.type for event in decoded.events] == ["ruleset.activated", "partner.approved"]
    assert msgspec.to_builtins(decoded.events[0].data)["ruleset"]["revision"] == 1
