"""After `events import --wait` the last line says what is true of this import, and no more."""

from __future__ import annotations

import pytest

from goodword.commands.events_import import what_reached_the_ledger
from goodword.importing.importer import Summary

OUTCOMES = {
    "everything is new": ((4, 0, 0), "all of it has reached the ledger, 2.5 s later"),
    "some is refused": ((4, 1, 2), "what was accepted has reached the ledger, 2.5 s later"),
    "all was there": (
        (0, 1_000, 0),
        "nothing is new: 1,000 events were there already; all that was on its way has reached the ledger, 2.5 s later",
    ),
    "one was there, the rest is refused": (
        (0, 1, 3),
        "nothing is new: 1 event was there already; all that was on its way has reached the ledger, 2.5 s later",
    ),
    "all is refused": ((0, 0, 3), "nothing was accepted, so nothing is on its way to the ledger"),
    "the file is empty": ((0, 0, 0), "nothing was accepted, so nothing is on its way to the ledger"),
}


@pytest.mark.parametrize(("counts", "line"), OUTCOMES.values(), ids=OUTCOMES)
def test_the_last_line_says_what_became_of_the_import(counts: tuple[int, int, int], line: str) -> None:
    accepted, duplicates, rejected = counts
    summary = Summary(files=[], accepted=accepted, duplicates=duplicates, rejected=rejected, wait_seconds=2.5)
    assert what_reached_the_ledger(summary) == line
