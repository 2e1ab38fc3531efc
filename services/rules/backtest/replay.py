"""One partition's history, decided on both sides: the same fold that decides live, twice.

The shell feeds events in order, in any cut, and keeps the states as it does for the live service: it asks what is
missing, loads it, feeds, and may take what changed at any point (`take_dirty`). When and how often it does so changes
nothing in what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from contracts.decisions import Decision
from contracts.events import Event
from services.rules.backtest.sides import Side, revisions_of
from services.rules.fold import Fold


class Taker(Protocol):
    """What keeps what both sides decided; see `comparison` and `lines`."""

    def take(self, before: Sequence[Decision], after: Sequence[Decision]) -> None:
        """The decisions of the same events, on both sides."""

    def reject(self, before: int, after: int) -> None:
        """So many events could not be judged."""


class Replay:
    """The two folds of one partition.

    Args:
        cache_bytes: How much decoded state each side may keep in memory between `take_dirty` and the next feeding.
    """

    def __init__(self, partition: int, before: Side, after: Side, taker: Taker, *, cache_bytes: int) -> None:
        self._folds = tuple(
            Fold(partition, cache_bytes=cache_bytes, revisions=revisions_of(side)) for side in (before, after)
        )
        self._taker = taker

    def missing_keys(self, events: Sequence[Event]) -> tuple[list[bytes], ...]:
        """Of each side: the states that feeding these events needs and that are not in memory."""
        return tuple(fold.missing_keys(events) for fold in self._folds)

    def load(self, values: Sequence[Mapping[bytes, bytes | None]]) -> tuple[list[bytes], ...]:
        """Take in what the shell has under the missing keys of each side; returns the keys needed besides."""
        return tuple(fold.load(found) for fold, found in zip(self._folds, values, strict=True))

    def feed(self, events: Sequence[Event]) -> None:
        before, after = (fold.fold(events) for fold in self._folds)
        self._taker.take(before.decisions, after.decisions)
        if before.rejected or after.rejected:
            self._taker.reject(len(before.rejected), len(after.rejected))

    def take_dirty(self) -> tuple[dict[bytes, bytes | None], ...]:
        """Of each side: the states that changed since the last call, encoded."""
        return tuple(fold.take_dirty() for fold in self._folds)
