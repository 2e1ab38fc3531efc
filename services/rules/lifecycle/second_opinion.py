"""The second engine's opinion of a rule file, as the gate asks for it.

There is none in this version: the gate says so each time, and the audit log keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contracts.errors import Problem


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the second engine says. `problem` tells what differs, or why there is no opinion."""

    verdict: Literal["agrees", "differs", "missing"]
    problem: Problem | None = None


def opinion_of(text: str, path: str) -> Opinion:
    """Let the second engine judge the file's tests. Takes seconds at most; no I/O."""
    return Opinion(
        "missing",
        Problem(
            code="second-opinion-missing",
            message="SECOND OPINION MISSING: only one engine has judged this rule set",
            where=path,
        ),
    )
