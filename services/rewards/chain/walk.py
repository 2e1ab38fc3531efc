"""Follows the chain block by block and compares each row with what was sealed. Pure.

A block that is wrong is told once, and the walk goes on from what it says of itself: what was done to one block does
not hide what was done to the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from services.rewards.chain.encoding import HASH_BYTES, HASH_VERSION, NO_HASH, Block, block_hash
from services.rewards.chain.findings import Finding, FindingKind, Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlock:
    """A row of rewards.blocks, with the number of its ids."""

    number: int
    hash_version: int
    previous: bytes
    hash: bytes
    count: int
    sealed_at_us: int
    ids_count: int
    row_hashes: bytes


class Walk:
    """The walk over a chain; `findings` fill up.

    Args:
        after: The block before the first one that is walked; None to begin where the chain begins.
    """

    def __init__(self, findings: Findings, after: tuple[int, bytes] | None) -> None:
        self._findings = findings
        self._number = None if after is None else after[0]
        self._hash = NO_HASH if after is None else after[1]
        self.blocks = 0
        self.transfers = 0

    @property
    def end(self) -> tuple[int, bytes] | None:
        """Number and hash of the last block walked."""
        return None if self._number is None else (self._number, self._hash)

    def block(self, stored: StoredBlock) -> None:
        """The next block: its number, its link, and its own hash."""
        number = stored.number
        if self._number is not None and number != self._number + 1:
            missing = f"{self._number + 1}" if number == self._number + 2 else f"{self._number + 1} to {number - 1}"
            self._found(
                "block-missing", self._number + 1, f"after block {self._number} comes {number}: {missing} missing"
            )
        elif stored.previous != self._hash:
            before = (
                "no block is before it: the chain's beginning is gone"
                if self._number is None
                else f"block {self._number} has {self._hash.hex()}"
            )
            self._found("block-link", number, f"its previous hash is {stored.previous.hex()}, but {before}")
        if stored.hash_version != HASH_VERSION:
            self._found(
                "hash-version", number, f"its hash version is {stored.hash_version}; this program knows {HASH_VERSION}"
            )
        elif (
            block_hash(
                Block(
                    number=number,
                    previous=stored.previous,
                    count=stored.count,
                    sealed_at_us=stored.sealed_at_us,
                    row_hashes=stored.row_hashes,
                )
            )
            != stored.hash
            or not stored.count == stored.ids_count == len(stored.row_hashes) // HASH_BYTES
        ):
            self._found(
                "block-altered", number, "its number, links, count, time or row hashes are not those of its hash"
            )
        self._number, self._hash = number, stored.hash
        self.blocks += 1

    def rows(self, stored: StoredBlock, rows: Sequence[bytes | None]) -> list[int]:
        """The rows of that block, encoded, None where there is none; returns the positions of those that are wrong."""
        self.transfers += len(rows)
        if stored.hash_version != HASH_VERSION:
            return []
        sha256 = hashlib.sha256
        hashes = b"".join([b"" if row is None else sha256(row).digest() for row in rows])
        if hashes == stored.row_hashes:
            return []
        return [
            position
            for position, row in enumerate(rows)
            if row is None
            or sha256(row).digest() != stored.row_hashes[HASH_BYTES * position : HASH_BYTES * (position + 1)]
        ]

    def _found(self, kind: FindingKind, block: int, message: str) -> None:
        self._findings.add(Finding(kind=kind, block=block, message=message))
