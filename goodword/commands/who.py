"""Who does it: the option that every command has which changes something for others."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

WhoOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who does it. [default: the user's name]")]


def name_of(given: str | None) -> str:
    """The name to act under: as given, or the user's."""
    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "unknown"
