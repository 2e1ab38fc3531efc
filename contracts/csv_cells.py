"""Text in CSV files that a spreadsheet must not take for a formula (CWE-1236; OWASP, CSV Injection). Pure."""

from __future__ import annotations

from typing import Final

_QUOTE: Final = "'"
RISKY_STARTS: Final = frozenset("=+-@\t\r\n\0＝＋－＠" + _QUOTE)
"""What spreadsheets begin a formula with, full-width forms included, what some of them skip before it, and our mark."""


def text_cell(text: str) -> str:
    """The text as it stands in a cell: behind an apostrophe where it could be a formula.

    Text that begins with an apostrophe of its own gets another one, so taking one away always gives the text back.
    """
    return f"{_QUOTE}{text}" if text[:1] in RISKY_STARTS else text


def text_of_cell(cell: str) -> str:
    """What `text_cell` was given."""
    return cell.removeprefix(_QUOTE)
