"""What an invariant is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from runtime.database import Connection

OFFENDERS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Offender:
    """One place where it does not hold: which, what it should be, and what it is, both in minor units (of the chain,
    rows).
    """

    where: str
    expected_minor: int
    found_minor: int


class Invariant(Protocol):
    """A promise that one statement can check."""

    @property
    def name(self) -> str: ...

    @property
    def broken_means(self) -> str:
        """One sentence for the log and the pager."""

    async def check(self, connection: Connection) -> list[Offender]:
        """Up to OFFENDERS_MAX offenders; empty when it holds."""
