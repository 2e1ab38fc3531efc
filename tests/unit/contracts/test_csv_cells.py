"""What a spreadsheet could take for a formula stands behind an apostrophe, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.csv_cells import text_cell, text_of_cell

CASES = [
    ("", ""),
    ("Cancity", "Cancity"),
    ("=1+1", "'=1+1"),
    ("+49", "'+49"),
    ("-5", "'-5"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\t=1", "'\t=1"),
    ("\r=1", "'\r=1"),
    ("\n=1", "'\n=1"),
    ("＝1", "'＝1"),
    ("'quoted'", "''quoted'"),
    ("a=b", "a=b"),
]


@pytest.mark.parametrize(("text", "cell"), CASES)
def test_a_formula_is_defused(text: str, cell: str) -> None:
    assert text_cell(text) == cell


@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    cell = text_cell(text)
    assert text_of_cell(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
