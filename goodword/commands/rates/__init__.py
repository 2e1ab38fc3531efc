"""`goodword rates …`: exchange rates. One module per operation."""

from __future__ import annotations

from typing import Final

import typer

from goodword.commands.rates.listing import list_rates
from goodword.commands.rates.publish import publish

app: Final = typer.Typer(no_args_is_help=True)
app.command("publish")(publish)
app.command("list")(list_rates)
