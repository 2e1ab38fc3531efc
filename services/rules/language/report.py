"""How problems look: position, the line, a caret under the characters, and what to do.

Whatever a file or its name contains, what is printed has no control characters: a rule file cannot write to the
terminal of whoever lints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.rules.language.located import LocatedProblem
from services.rules.language.source import LINE_BREAK
from services.rules.language.words import printable

EXCERPT_LENGTH_MAX: Final = 160
_BEFORE_CARET: Final = 40
"""How much of a long line is shown before the problem."""


def render_problems(problems: Sequence[LocatedProblem], text: str, path: str) -> str:
    """All problems as text for people, an empty line between two; empty when there are none."""
    last_line = max((each.line for each in problems), default=1)
    lines = LINE_BREAK.split(text, maxsplit=last_line)[:last_line]
    return "\n\n".join(_render(each, lines, path) for each in problems) + ("\n" if problems else "")


def problems_as_json(problems: Sequence[LocatedProblem]) -> list[dict[str, str | int]]:
    """All problems as plain values for `--json`."""
    return [
        {
            "code": each.code,
            "severity": each.severity,
            "message": each.message,
            "path": each.path,
            "line": each.line,
            "column": each.column,
            "length": each.length,
            "help": each.help,
        }
        for each in problems
    ]


def _render(problem: LocatedProblem, lines: list[str], path: str) -> str:
    place = f"{printable(path)}:{problem.line}:{problem.column}"
    head = f"{place}: {problem.severity}[{problem.code}]: {printable(problem.message)}"
    written = lines[problem.line - 1] if problem.line <= len(lines) else ""
    parts = [head, *_excerpt(problem, written)]
    if problem.help:
        parts.append(f"help: {printable(problem.help)}")
    return "\n".join(parts)


def _excerpt(problem: LocatedProblem, written: str) -> tuple[str, str]:
    """The line and the carets under it; of a long line the part around the problem."""
    start = problem.column - 1
    cut = max(0, start - _BEFORE_CARET) if len(written) > EXCERPT_LENGTH_MAX else 0
    shown = printable(written[cut : cut + EXCERPT_LENGTH_MAX].replace("\t", " ")).rstrip()
    more = "…" if cut else ""
    margin = f"{problem.line} | "
    carets = "^" * max(1, min(problem.length, max(len(shown) - (start - cut), 1)))
    gutter = " " * (len(margin) - 2) + "| "
    return f"{margin}{more}{shown}".rstrip(), f"{gutter}{' ' * (len(more) + start - cut)}{carets}"
