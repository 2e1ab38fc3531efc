"""Rows are put in order on disk: all of them, in the order of their keys, however many runs it takes."""

from __future__ import annotations

import random

import pytest

from services.rewards.reconciling.spool import Spool


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1_000])
def test_rows_come_back_by_their_key_and_those_of_a_key_as_they_were_added(count: int, seed: int) -> None:
    chance = random.Random(seed)
    rows = [(f"key-{chance.randrange(50):02}", str(number).encode()) for number in range(count)]
    with Spool(run_rows=10) as spool:
        for key, row in rows:
            spool.add(key, row)
        assert [(key, row) for key, _, row in spool.sorted()] == sorted(rows, key=lambda row: row[0])


def test_a_first_row_goes_before_all_of_its_key() -> None:
    with Spool(run_rows=2) as spool:
        for row in (b"1", b"2", b"3"):
            spool.add("b", row)
        for row in (b"4", b"5"):
            spool.add("b", row, is_first=True)
        spool.add("a", b"6")
        assert [row for _, _, row in spool.sorted()] == [b"6", b"4", b"5", b"1", b"2", b"3"]
