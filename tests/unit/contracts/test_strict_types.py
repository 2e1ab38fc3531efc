"""Fast decoding must never let through what the patterns refuse."""

from __future__ import annotations

import copy
from typing import Any, get_type_hints

import msgspec
import pytest

from contracts.events import EventData, Id, StrictData, decode_data, decode_data_list, encode_data, ids_of
from contracts.ids import are_ids, is_id

WHOLE: dict[str, Any] = {
    "programme": "p",
    "partner": "moses",
    "member": "m",
    "share_ppm": 500_000,
    "lead": {"id": "l", "channel": "web"},
    "deal": {"id": "d", "product": "GTX", "stage": "Won", "amount": {"minor": 5, "currency": "USD"}},
    "customer": {"id": "c", "name": "C", "employees": 3, "annual_revenue": {"minor": 5, "currency": "USD"}},
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


def test_strict_and_fast_types_encode_to_the_same_bytes() -> None:
    text = msgspec.json.encode(WHOLE)
    assert encode_data(decode_data(text)) == msgspec.json.encode(msgspec.json.decode(text, type=StrictData))


def with_value(path: tuple[str, ...], value: Any) -> bytes:
    whole = copy.deepcopy(WHOLE)
    room = whole
    for name in path[:-1]:
        room = room[name]
    room[path[-1]] = value
    return msgspec.json.encode(whole)


CURRENCIES = (("deal", "amount", "currency"), ("customer", "annual_revenue", "currency"))


@pytest.mark.parametrize("path", [*id_paths(EventData), *CURRENCIES])
@pytest.mark.parametrize("text", ["a:b", "", "a" * 129, "a\0"])
def test_what_breaks_a_pattern_is_refused_alone_and_in_a_batch(path: tuple[str, ...], text: str) -> None:
    value = with_value(path, text)
    with pytest.raises(msgspec.ValidationError):
        decode_data(value)
    with pytest.raises(msgspec.ValidationError):
        decode_data_list([msgspec.json.encode(WHOLE), value])


def test_every_field_that_is_an_id_is_among_those_checked() -> None:
    paths = id_paths(EventData)
    assert len(paths) >= 11
    found: list[str] = []
    ids_of(msgspec.convert(WHOLE, EventData), found)
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
