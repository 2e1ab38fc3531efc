"""A sheet as PDF: PDF/A-3a and PDF/UA-1, so tagged, archivable, its text selectable; by Typst, which brings its fonts.

Promises: the same sheet gives the same bytes on every machine (no clock, no fonts of the system); what came from
outside is text and never markup, because it travels as data. A letter that the fonts lack is an error and not an empty
box: the fonts that Typst brings have Latin, Greek and Cyrillic letters, further ones come from a folder.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import typst

from contracts.errors import PermanentError, Problem
from services.rewards.papers.shown import Sheet

_STANDARDS: Final[list[typst.PDFStandard]] = ["a-3a", "ua-1"]


def pdf_of(sheet: Sheet, *, dated: str, fonts: Path | None = None) -> bytes:
    """The PDF.

    Args:
        sheet: From `shown.py`.
        dated: The day that the file says it was made on: the paper's own, not today.
        fonts: A folder of further fonts, such as Noto's.

    Raises:
        PermanentError: `paper-undrawable`, above all for a letter that no font has.
    """
    made_at = datetime.fromisoformat(dated).replace(tzinfo=UTC)
    with as_file(files("services.rewards.papers").joinpath("sheets")) as sheets:
        try:
            drawn = typst.compile(
                str(sheets / "paper.typ"),
                root=str(sheets),
                sys_inputs={"sheet": json.dumps(sheet, ensure_ascii=False), "dated": dated},
                pdf_standards=_STANDARDS,
                timestamp=made_at,
                ignore_system_fonts=True,
                font_paths=[] if fonts is None else [str(fonts)],
            )
        except typst.TypstError as error:
            raise PermanentError(
                Problem(
                    code="paper-undrawable",
                    message=f"{sheet['subject']} cannot be drawn: {error.message}",
                    help="if a letter is missing, name a folder of fonts that have it, with --fonts",
                )
            ) from error
    assert isinstance(drawn, bytes)  # Typst gives a list only where each page is a file.
    return drawn
