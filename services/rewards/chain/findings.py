"""What a verification finds. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

FINDINGS_MAX: Final = 100
"""More are counted, not told."""

FindingKind = Literal[
    "block-missing",
    "block-link",
    "block-altered",
    "hash-version",
    "row-missing",
    "row-altered",
    "row-extra",
    "row-twice",
    "chain-end",
    "head-differs",
    "head-missing",
    "head-signature",
    "published-differs",
    "balance",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it was sealed.

    Attributes:
        block: Its number; None where no block is concerned.
        transfer: Its id, where one row is concerned.
        columns: Of an altered row, the columns that differ from what was published; empty where that is not known.
    """

    kind: FindingKind
    message: str
    block: int | None = None
    transfer: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Findings:
    """In the order in which they were found: by block, and within a block by row."""

    first: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, finding: Finding) -> None:
        self.count += 1
        if len(self.first) < FINDINGS_MAX:
            self.first.append(finding)
