"""Series answer every window as a plain list of (day, value) would, in any order of arrival and after a round trip."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.rules.states.series import Kind, decode_series, new_series

DAYS = st.integers(-5, 40)
WINDOWS = st.lists(st.tuples(DAYS, DAYS), min_size=1, max_size=8)


@given(
    taken=st.lists(st.tuples(DAYS, st.integers(-(2**62), 2**62)), max_size=60),
    windows=WINDOWS,
    at=st.integers(0, 60),
)
def test_sums_are_exact_in_any_order_and_beyond_64_bits(taken: list[Any], windows: list[Any], at: int) -> None:
    def expected(past: list[Any]) -> int:
        return sum(value for _, value in past)

    _check("sum", taken, windows, at, expected)


@given(taken=st.lists(st.tuples(DAYS, st.integers(0, 10)), max_size=60), windows=WINDOWS, at=st.integers(0, 60))
def test_means_keep_sum_and_count(taken: list[Any], windows: list[Any], at: int) -> None:
    def expected(past: list[Any]) -> tuple[int, int] | None:
        return (sum(value for _, value in past), len(past)) if past else None

    _check("mean", taken, windows, at, expected)


@given(taken=st.lists(st.tuples(DAYS, st.sampled_from("abcde")), max_size=60), windows=WINDOWS, at=st.integers(0, 60))
def test_distinct_counts_values_with_a_day_inside(taken: list[Any], windows: list[Any], at: int) -> None:
    def expected(past: list[Any]) -> int:
        return len({value for _, value in past})

    _check("distinct", taken, windows, at, expected)


def _check(kind: Kind, taken: list[Any], windows: list[Any], at: int, expected: Any) -> None:
    series = new_series(kind)
    past: list[Any] = []
    for number, (day, value) in enumerate(taken):
        if number == at:
            encoded = bytes(series.encode())
            series = decode_series(msgspec.msgpack.decode(encoded))
            assert bytes(series.encode()) == encoded
        series.add(day, value)
        past.append((day, value))
        for first, last in windows:
            assert series.between(first, last) == expected([each for each in past if first <= each[0] <= last])
