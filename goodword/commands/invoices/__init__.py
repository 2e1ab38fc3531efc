"""`goodword invoices …`: self-billing invoices and credit notes. One module per operation."""

from __future__ import annotations

from typing import Final

import typer

from goodword.commands.invoices.correct import correct
from goodword.commands.invoices.issue import issue
from goodword.commands.invoices.issuer import list_issuers, set_issuer
from goodword.commands.invoices.listing import list_invoices, show_invoice
from goodword.commands.invoices.pdf import write_pdf

app: Final = typer.Typer(no_args_is_help=True)
issuer: Final = typer.Typer(no_args_is_help=True)
issuer.command("set")(set_issuer)
issuer.command("list")(list_issuers)
app.add_typer(issuer, name="issuer", help="Who issues papers, for which programmes.")
app.command("issue")(issue)
app.command("correct")(correct)
app.command("list")(list_invoices)
app.command("show")(show_invoice)
app.command("pdf")(write_pdf)
