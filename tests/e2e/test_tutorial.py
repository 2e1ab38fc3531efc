"""The tutorial of docs/rules.md does what it says, from an empty folder, on a stack of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.tutorial import Reader, blocks, matches
from tests.support.second_engine import needs_second_engine

pytestmark = [pytest.mark.slow, needs_second_engine]


def test_the_tutorial_prints_what_the_page_shows(tmp_path: Path) -> None:
    """`python -m tests.e2e.tutorial` writes what is printed now into the page; read the difference."""
    followed = list(blocks())
    assert {each.what.partition(":")[0] for each in followed} == {"file", "run", "up", "output"}
    reader = Reader(tmp_path)
    try:
        for block in followed:
            printed = reader.follow(block)
            assert printed is None or matches(block.text, printed), f"shown:\n{block.text}\nprinted:\n{printed}"
    finally:
        reader.leave()


def test_three_dots_stand_for_anything_on_one_line() -> None:
    assert matches("offset …\n", "offset 12\n")
    assert not matches("offset …\n", "offset 12\nmore\n")
    assert not matches("a.c\n", "abc\n")
