"""`goodword rules show`: a rule set in plain words, for the partners it is about."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from goodword.commands.rules.files import FileArgument
from goodword.commands.rules.reading import read_or_end


def show(
    file: FileArgument,
    language: Annotated[
        Literal["en", "pt-BR", "id", "pl"], typer.Option("--lang", help="The language of the page.")
    ] = "en",
    format: Annotated[Literal["text", "markdown", "html"], typer.Option("--format", help="What is printed.")] = "text",
    partner: Annotated[
        str | None, typer.Option("--partner", metavar="ID", help="Also tell what was agreed with this partner.")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="Also tell what holds for this partner group.")
    ] = None,
) -> None:
    """Print a rule set in plain words, for partners.

    The whole language is shown, also what `goodword rules publish` does not take yet. Terms of single partners and of
    groups are confidential: only those asked for are told. Exit code 2: the file is not a rule set.
    """
    from services.rules.words import describe, render

    page = describe(read_or_end(file), language, partner=partner, groups=groups or ())
    typer.echo(render(page, format), nl=False)
