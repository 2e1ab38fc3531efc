"""Rule files on the command line: how they are named, read and found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from goodword.terminal import EXIT_NO, EXIT_USAGE, fail

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A rule set, in YAML.")]


def read_file(path: Path, *, not_text_exit_code: int = EXIT_NO) -> str:
    """The text of a file, or the end of the command with the reason."""
    from contracts.errors import Problem
    from services.rules.language.source import FILE_BYTES_MAX

    try:
        # Some files never end; what is longer than any rule set is refused by the reader, by its length.
        with path.open("rb") as file:
            data = file.read(16 * FILE_BYTES_MAX)
        return data.decode(errors="ignore" if len(data) > FILE_BYTES_MAX else "strict")
    except OSError as error:
        fail(Problem(code="unreadable-file", message=error.strerror or str(error), where=str(path)), EXIT_USAGE)
    except UnicodeDecodeError as error:
        message = f"not UTF-8: {error.reason} at byte {error.start}"
        help = "save it as UTF-8; `iconv -f LATIN1 -t UTF-8`, or `-f UTF-16`, makes it so"
        fail(Problem(code="unreadable-file", message=message, where=str(path), help=help), not_text_exit_code)
