"""One anatomy for every problem we report: stable code, what is wrong, where exactly, what to do.

The same `Problem` is an HTTP answer (RFC 9457), a line on the terminal, a dead-letter header and a log
field. Outcomes, mistakes and outages are three types: an expected business outcome is a value (a denied
decision), a mistake in the input is a `PermanentError`, anything else is retried and then stops the service.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem with one piece of input.

    Attributes:
        code: Stable and named after the problem, kebab-case: `time-without-offset`.
        message: One sentence for people: what is wrong.
        where: The place in the input: a JSON path, or `file:line:column`.
        help: What to do about it; may be empty.
    """

    code: str
    message: str
    where: str = ""
    help: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.help})" if self.help else ""
        return f"{place}{self.message}{advice} [{self.code}]"


class GoodwordError(Exception):
    """The root of everything we raise on purpose."""


class PermanentError(GoodwordError):
    """A mistake in the input: trying again cannot help. Goes to the dead-letter queue with its problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class ManyProblems(PermanentError):
    """Several mistakes in one input, told all at once; never none."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0])
        self.problems = list(problems)


class TransientError(GoodwordError):
    """An outage of something we need: retried with bounded back-off, then the service stops."""


class InvariantBroken(GoodwordError):
    """A promise about money does not hold. Never retried, never dead-lettered: the service stops."""
