"""The cap of the dead-letter queue, as a table of offsets: which are rejected, and where it says stop."""

from __future__ import annotations

import pytest

from contracts.errors import Problem
from runtime.bus.dead_letters import _headers, _Recent
from runtime.bus.port import Received


@pytest.mark.parametrize(
    ("offsets", "run", "counted"),
    [
        ([5], 1, 1),
        ([5, 6, 7], 3, 3),
        ([5, 6, 8], 1, 3),  # a good record in between ends the run
        ([5, 5, 5], 1, 1),  # delivered again: counted once
        ([5, 6, 5, 6], 2, 2),
        ([5, 1_004], 1, 2),
        ([5, 1_005], 1, 1),  # left the window of the last thousand
        ([500, 10], 1, 1),  # a step back: counting starts anew
    ],
)
def test_what_counts_towards_the_cap(offsets: list[int], run: int, counted: int) -> None:
    recent = _Recent()
    for offset in offsets:
        recent.add(offset)
    assert (recent.run, len(recent.offsets)) == (run, counted)


def test_a_replayed_letter_tells_of_its_last_failure_only() -> None:
    problem = Problem(code="b", message="second")
    letter = Received(7, b"k", b"v", (("ce_id", b"1"), ("dlq_code", b"a"), ("dlq_offset", b"3")), 0)
    headers = _headers(letter, problem, topic="t", partition=2, at="2026-01-01T00:00:00.000Z")
    assert [value for name, value in headers if name == "dlq_code"] == [b"b"]
    assert dict(headers)["dlq_offset"] == b"7"
    assert dict(headers)["ce_id"] == b"1"
