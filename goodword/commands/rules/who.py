"""Who does it, and why: the options that every step of a revision's life has."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

WhoOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who does it. [default: the user's name]")]
NoteOption = Annotated[str, typer.Option("--note", help="Why; it stands in the audit log.")]
ProgrammeArgument = Annotated[str, typer.Argument(metavar="PROGRAMME")]
RevisionArgument = Annotated[int, typer.Argument(metavar="REVISION", min=1)]


def name_of(given: str | None) -> str:
    """The name to act under: as given, or the user's."""
    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "unknown"
