"""Decoding of a batch: in one go, and each bad record by its place."""

from __future__ import annotations

import pytest

from contracts.decisions import encode_decision
from services.rewards.decode import decode_heads, is_decision_id
from tests.support.decisions import decided, denied, head

GOOD = [decided(1), denied(2), decided(3, trace=())]
BAD = [b"", b"{}", b"[]", b"null", b'{"id": 1}', b"{,}", b"\xff", b'"\\ud800"', encode_decision(decided(1))[:-1]]


def test_a_good_batch_is_decoded_whole() -> None:
    decoded = decode_heads([encode_decision(decision) for decision in GOOD])
    assert list(decoded.decisions) == [head(decision) for decision in GOOD]
    assert (list(decoded.indexes), list(decoded.bad)) == ([0, 1, 2], [])


@pytest.mark.parametrize("value", BAD)
def test_a_bad_record_is_told_by_its_place_and_its_neighbours_are_decoded(value: bytes) -> None:
    first, second, third = (encode_decision(decision) for decision in GOOD)
    decoded = decode_heads([first, value, second, third])
    assert list(decoded.decisions) == [head(decision) for decision in GOOD]
    assert list(decoded.indexes) == [0, 2, 3]
    assert [(index, problem.code) for index, problem in decoded.bad] == [(1, "not-a-decision")]


def test_two_objects_in_one_value_are_not_two_decisions() -> None:
    value = encode_decision(GOOD[0])
    decoded = decode_heads([value + b"," + value])
    assert (list(decoded.decisions), [index for index, _ in decoded.bad]) == ([], [0])


def test_an_empty_batch_is_no_decisions() -> None:
    assert list(decode_heads([]).decisions) == []


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (decided(1).id, True),
        (decided(1).id.upper(), False),
        (decided(1).id + "\n", False),
        ("00000000-0000-4000-8000-000000000000", False),
        ("00000000-0000-8000-c000-000000000000", False),
        ("", False),
    ],
)
def test_a_decision_id_is_spelled_in_one_way(text: str, is_one: bool) -> None:
    assert is_decision_id(text) == is_one
