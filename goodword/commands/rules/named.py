"""What the steps of a revision's life are told alike: which revision, and why."""

from __future__ import annotations

from typing import Annotated

import typer

NoteOption = Annotated[str, typer.Option("--note", help="Why; it stands in the audit log.")]
ProgrammeArgument = Annotated[str, typer.Argument(metavar="PROGRAMME")]
RevisionArgument = Annotated[int, typer.Argument(metavar="REVISION", min=1)]
