"""Rule files on the command line: how they are named, read and found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodword.terminal import EXIT_USAGE, fail

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A rule set, in YAML.")]


def read_file(path: Path) -> str:
    """The text of a file, or the end of the command with the reason."""
    from contracts.errors import Problem

    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        fail(Problem(code="unreadable-file", message=error.strerror or str(error), where=str(path)), EXIT_USAGE)
    except UnicodeDecodeError as error:
        fail(
            Problem(code="unreadable-file", message=f"not UTF-8: {error.reason} at byte {error.start}", where=str(path))
        )
