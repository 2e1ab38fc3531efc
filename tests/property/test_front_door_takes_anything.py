"""Whatever is sent, the front door has an answer; whatever it lets in, everybody behind it can read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import EVENT_TYPES, decode_data, event_of
from contracts.ids import is_id
from services.tracking.envelope import Malformed, Shape, TooMany
from services.tracking.faults import Checked
from services.tracking.records import headers_of, seal, stamp
from services.tracking.validate import check_body

NOW_MS = 1_767_225_600_000
SHAPES = st.sampled_from(list(Shape))

texts = st.text(max_size=12) | st.sampled_from(["a:b", "USD", "\0", "\ud800", "2017-03-01T00:00:00Z", "x" * 1025])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
amounts = st.fixed_dictionaries({}, optional={"minor": st.integers() | values, "currency": texts | values})
ids = st.sampled_from(["a", "b/c", "a:b", ""]) | values


def room(**fields: Any) -> Any:
    return st.fixed_dictionaries({"id": ids}, optional=fields | {"extra": values}) | values


data = st.fixed_dictionaries(
    {"programme": st.just("p") | ids},
    optional={
        "partner": ids,
        "deal": room(product=texts, amount=amounts),
        "customer": room(name=texts, employees=scalars, annual_revenue=amounts),
        "lead": room(channel=texts),
        "profile": st.fixed_dictionaries({}, optional={"joined_at": texts, "groups": values}) | values,
        "attributes": st.dictionaries(texts, scalars, max_size=3) | values,
        "share_ppm": scalars,
        "attribution": texts,
        "anything": values,
    },
)
events = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "type": st.sampled_from(EVENT_TYPES),
        "source": st.just("crm/acme") | ids,
        "id": st.just("1") | texts,
        "time": st.sampled_from(["2017-03-01T00:00:00Z", "2017-03-01T00:00:00.5+02:00", "9999-12-31T23:59:59-12:00"])
        | texts,
        "data": data | values,
    },
    optional={"subject": scalars, "myext": scalars, "traceparent": scalars, "data_base64": texts},
)
elements = events | values


def checked(body: bytes, shape: Shape) -> Checked | None:
    try:
        return check_body(body, shape, now_ms=NOW_MS, future_ms_max=0, events_max=50)
    except (Malformed, TooMany):
        return None


def encoded(element: Any) -> bytes:
    return json.dumps(element).encode()


@settings(max_examples=300, deadline=None)
@given(st.lists(elements, max_size=5), SHAPES)
def test_each_element_is_let_in_or_refused_with_a_reason(sent: list[Any], shape: Shape) -> None:
    separator, ends = (b"\n", (b"", b"")) if shape is Shape.LINES else (b",", (b"[", b"]"))
    found = checked(ends[0] + separator.join(encoded(element) for element in sent) + ends[1], shape)
    if found is None:
        return
    indexes = sorted([c.index for c in found.candidates] + [r.index for r in found.rejections])
    assert indexes == list(range(len(sent)))
    msgspec.json.encode(found.rejections)
    for candidate in found.candidates:
        sealed = seal(candidate)
        headers = headers_of(sealed, stamp(NOW_MS, ""))
        event = event_of(headers, decode_data(sealed.value))
        assert event.time_ms == candidate.time_ms
        assert is_id(event.source)
        assert "\0" not in str(msgspec.to_builtins(event))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), SHAPES)
def test_bytes_of_any_kind_have_an_answer(body: bytes, shape: Shape) -> None:
    checked(body, shape)


@settings(max_examples=100, deadline=None)
@given(events, st.randoms(use_true_random=False))
def test_the_order_of_keys_makes_no_other_body(event: dict[str, Any], random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            random.shuffle(items)
            return {name: shuffled(inner) for name, inner in items}
        return value

    one, other = (checked(encoded(sent), Shape.ONE_OR_MANY) for sent in (event, shuffled(event)))
    if one and other and one.candidates and other.candidates:
        first, second = seal(one.candidates[0]), seal(other.candidates[0])
        assert (first.identity, first.digest) == (second.identity, second.digest)
