"""Reads a mapping of accounts (`examples/chart-of-accounts.yaml`): YAML, every mistake told at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from contracts.errors import PermanentError, Problem
from services.rewards.journal.gl_chart import GlAccount, GlChart, line_faults

FILE_BYTES_MAX: Final = 1024 * 1024


class _File(msgspec.Struct, forbid_unknown_fields=True):
    accounts: list[GlAccount]


def read_chart(path: Path) -> tuple[GlChart, str]:
    """The mapping, and the SHA-256 of the file.

    Raises:
        PermanentError: `bad-chart`, with every mistake.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _bad(path, f"the mapping cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise _bad(path, f"a mapping has at most {FILE_BYTES_MAX // 1024} KiB")
    try:
        # The base loader makes text of everything: 6110 is a number of an account, not of anything else.
        parsed: Any = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506 # safer than the safe one: text only
        lines = msgspec.convert(parsed, _File).accounts
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise _bad(path, f"not YAML{place}: {getattr(error, 'problem', None) or error}") from error
    except msgspec.ValidationError as error:
        raise _bad(path, f"not a mapping of accounts: {error}") from error
    faults = line_faults(lines)
    if not lines:
        faults = ["accounts is empty"]
    if faults:
        raise _bad(path, faults[0], "\n".join(faults[1:]))
    return GlChart(lines), hashlib.sha256(content).hexdigest()


def _bad(path: Path, message: str, help: str = "") -> PermanentError:
    help = (
        help or "examples/chart-of-accounts.yaml shows one: accounts, each with account, gl, and perhaps name and unit"
    )
    return PermanentError(Problem(code="bad-chart", message=message, where=str(path), help=help))
