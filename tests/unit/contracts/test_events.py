"""Events: binary mode on the bus, times, and the schema."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import (
    BROADCAST_TYPES,
    EVENT_TYPES,
    REQUIRED_FIELDS,
    SYSTEM_TYPES,
    Amount,
    Customer,
    Deal,
    EventData,
    decode_data,
    decode_data_list,
    encode_data,
    event_headers,
    event_of,
    format_time,
    json_schema,
    parse_time_ms,
)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_survives_the_way_over_the_bus(time_ms: int) -> None:
    text = format_time(time_ms)
    assert parse_time_ms(text) == time_ms
    assert datetime.fromisoformat(text).isoformat(timespec="milliseconds").replace("+00:00", "Z") == text


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_time_ms("2017-03-01T00:00:00")


def test_an_event_reads_back_as_it_was_written() -> None:
    data = EventData(
        programme="crm-sales",
        partner="moses-frase",
        deal=Deal(id="1C1I7A6R", product="GTX Plus Basic", amount=Amount(minor=105400, currency="USD")),
        customer=Customer(id="cancity", name="Cancity"),
        attributes={"office": "Central"},
    )
    headers = event_headers(
        type="deal.won", source="crm/acme", id="opp-1", time_ms=1_488_326_400_000, recorded_at_ms=5, traceparent="00-a"
    )
    event = event_of(headers, decode_data(encode_data(data)))
    assert (event.type, event.source, event.id, event.time_ms, event.traceparent) == (
        "deal.won", "crm/acme", "opp-1", 1_488_326_400_000, "00-a",
    )  # fmt: skip
    assert event.data == data
    assert decode_data_list([encode_data(data)] * 3) == [data] * 3


@pytest.mark.parametrize(
    "bad",
    [
        b'{"programme": "p", "partner": "a:b"}',
        b'{"programme": "p", "deal": {"id": "d", "amount": {"minor": 1.5, "currency": "USD"}}}',
        b'{"programme": "p", "deal": {"id": "d", "amount": {"minor": 1, "currency": "dollars"}}}',
        b'{"partner": "a"}',
    ],
)
def test_typed_data_refuses_what_the_contract_does_not_allow(bad: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_data(bad)


def test_every_type_says_what_it_needs_and_broadcasts_are_not_for_senders() -> None:
    assert set(REQUIRED_FIELDS) == {*EVENT_TYPES, *SYSTEM_TYPES}
    assert not set(EVENT_TYPES) & {*BROADCAST_TYPES, *SYSTEM_TYPES}


def test_the_schema_names_every_field_of_the_data() -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(EventData)}
    assert set(json_schema()["$defs"]["EventData"]["properties"]) == fields
