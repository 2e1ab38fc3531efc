"""Where a problem stands in a rule file, and the collector that lets all of them be told at once.

Lines and columns count from 1, in characters, as editors do. A problem is either an error, with which a rule
set never loads, or a warning, which only `goodword rules lint` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from contracts.errors import PermanentError, Problem

PROBLEMS_MAX: Final = 100
"""After so many problems the rest of a file is not looked at: nobody reads further, and hostile files stay cheap."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Span:
    """A run of characters on one line."""

    line: int
    column: int
    length: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, without a place: what the modules of `checks/` make."""

    code: str
    message: str
    help: str = ""
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class LocatedProblem:
    """A problem and its characters in the file.

    Attributes:
        code: Stable, named after the problem; explained in docs/rules.md#lint.
        line, column: From 1.
        length: Characters on that line, at least 1.
        path: The file's name as it was given.
    """

    code: str
    message: str
    line: int
    column: int
    length: int
    help: str = ""
    severity: Severity = "error"
    path: str = ""

    @property
    def problem(self) -> Problem:
        """The same in the form that HTTP answers, logs and dead-letter headers share."""
        return Problem(
            code=self.code, message=self.message, where=f"{self.path}:{self.line}:{self.column}", help=self.help
        )


class RuleSetErrors(PermanentError):
    """A rule file with errors; it has all of them, in file order, and never an empty list.

    `problem` is the first one, for those who can show only one.
    """

    def __init__(self, problems: list[LocatedProblem]) -> None:
        super().__init__(problems[0].problem)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(each.problem) for each in self.problems)


class TooManyProblemsError(Exception):
    """Raised inside the reader to leave a file that is wrong all over; never leaves this package."""


class Problems:
    """The problems of one file, collected in whatever order they are found."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._found: dict[tuple[int, int, str, str], LocatedProblem] = {}

    def add(self, span: Span, fault: Fault) -> None:
        """Note a problem. The same one at the same place counts once.

        Raises:
            TooManyProblemsError: When `PROBLEMS_MAX` is reached.
        """
        key = (span.line, span.column, fault.code, fault.message)
        self._found.setdefault(
            key,
            LocatedProblem(
                code=fault.code,
                message=fault.message,
                line=span.line,
                column=span.column,
                length=max(span.length, 1),
                help=fault.help,
                severity=fault.severity,
                path=self.path,
            ),
        )
        if len(self._found) >= PROBLEMS_MAX:
            raise TooManyProblemsError

    @property
    def count(self) -> int:
        return len(self._found)

    @property
    def errors_count(self) -> int:
        return sum(each.severity == "error" for each in self._found.values())

    def in_file_order(self) -> list[LocatedProblem]:
        return [self._found[key] for key in sorted(self._found)]

    @property
    def has_errors(self) -> bool:
        return self.errors_count > 0
