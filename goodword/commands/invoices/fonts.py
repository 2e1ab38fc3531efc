"""Which fonts papers and statements are drawn with, asked for by one option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FontsOption = Annotated[
    Path | None,
    typer.Option("--fonts", metavar="DIR", exists=True, file_okay=False, help="Fonts for letters that Typst's lack."),
]
