from __future__ import annotations

import pytest

from contracts.errors import PermanentError
from runtime.bus.batches import by_partition, cut
from runtime.bus.port import Received, Record


def received(*sizes: int) -> list[Received]:
    return [Received(offset, b"", bytes(size), (), 0) for offset, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "records_max", "bytes_max", "expected"),
    [
        ((), 2, 10, []),
        ((1, 1, 1), 2, 10, [2, 1]),
        ((5, 5, 5), 9, 10, [2, 1]),
        ((11, 1), 9, 10, [1, 1]),  # one record over the limit is a batch of its own
        ((1, 11, 1), 9, 10, [1, 1, 1]),
        ((10,), 9, 10, [1]),
    ],
)
def test_batches_are_cut_within_both_limits(
    sizes: tuple[int, ...], records_max: int, bytes_max: int, expected: list[int]
) -> None:
    parts = list(cut(received(*sizes), records_max=records_max, bytes_max=bytes_max))
    assert [len(part) for part in parts] == expected
    assert [one.offset for part in parts for one in part] == list(range(len(sizes)))


def test_a_known_size_within_the_limit_is_cut_by_count_alone() -> None:
    parts = list(cut(received(1, 1, 1, 1, 1), records_max=2, bytes_max=10, bytes_known=10))
    assert [len(part) for part in parts] == [2, 2, 1]


def test_a_partition_given_with_the_record_goes_before_its_key() -> None:
    records = [Record(b"k", b"1", (), 3), Record(b"k", b"2"), Record(b"k", b"3", (), 3)]
    found = by_partition("t", records, 4)
    assert [one.value for one in found[3] if one.partition == 3] == [b"1", b"3"]
    with pytest.raises(PermanentError, match="no partition 4"):
        by_partition("t", [Record(b"k", b"1", (), 4)], 4)
