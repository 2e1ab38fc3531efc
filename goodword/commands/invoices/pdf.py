"""`goodword invoices pdf`: a paper as a PDF/A file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodword.commands.invoices.fonts import FontsOption
from goodword.commands.invoices.listing import NumberArgument
from goodword.terminal import DataOption, problems_shown, say


def write_pdf(
    number: NumberArgument,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", dir_okay=False, help="Where to. [default: NUMBER.pdf]")
    ] = None,
    fonts: FontsOption = None,
    data: DataOption = None,
) -> None:
    """Write one as PDF, with its data attached; the same bytes each time."""
    from goodword.target import find_target
    from services.rewards.papers.render import pdf_of
    from services.rewards.papers.shown import invoice_sheet
    from services.rewards.reads import invoice

    with problems_shown():
        found = invoice(find_target(data).postgres, number)
        drawn = pdf_of(invoice_sheet(found), dated=found.issued_on, fonts=fonts)
    file = to or Path(f"{number}.pdf")
    file.write_bytes(drawn)
    say(f"wrote {file}")
