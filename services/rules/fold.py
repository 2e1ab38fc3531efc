"""The fold: from the events of one partition, in order, to decisions and states, with the states in memory.

Pure: it never reads or writes anything itself. The shell asks which states a batch needs (`missing_keys`), hands them
over (`load`), folds (`fold`), publishes the decisions, and writes what changed (`take_dirty`), in this order, for
one batch at a time. Whatever goes wrong in between, `discard` forgets everything, so that the next batch starts from
what is stored. The same events in the same order give the same decisions and the same bytes, however they
are cut into batches and whenever the process was restarted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from contracts.decisions import Decision
from contracts.errors import PermanentError, Problem
from contracts.events import Event
from services.rules.state import PartnerState

CACHE_BYTES_MAX: Final = 256 * 1024 * 1024


class FoldResult(msgspec.Struct, gc=False):
    """What a batch came to.

    Attributes:
        decisions: In the order of the events, and of the rules within an event.
        traceparents: Of the event of each decision, at the same index.
        rejected: Events that cannot be judged, by their index in the batch; they changed nothing and belong into the
            dead-letter queue.
    """

    decisions: list[Decision]
    traceparents: list[str]
    rejected: list[tuple[int, Problem]]


class Fold:
    """The fold of one partition.

    Keys are relative: the shell puts the partition's hash tag in front of them.
    """

    def __init__(self, partition: int, *, cache_bytes_max: int = CACHE_BYTES_MAX) -> None:
        self.partition = partition
        self._cache_bytes_max = cache_bytes_max
        self._partners: dict[tuple[str, str], PartnerState] = {}

    def missing_keys(self, events: Sequence[Event]) -> list[bytes]:
        """Keys of the states that folding these events needs and that are not in memory, each once."""
        raise PermanentError(Problem(code="not-ready", message="missing_keys"))

    def load(self, values: Mapping[bytes, bytes | None]) -> None:
        """Take in what the store has under the missing keys; None where it has nothing."""
        raise PermanentError(Problem(code="not-ready", message="load"))

    def fold(self, events: Sequence[Event]) -> FoldResult:
        """Decide the events in order. Every key that `missing_keys` named for them must have been loaded."""
        raise PermanentError(Problem(code="not-ready", message="fold"))

    def take_dirty(self) -> dict[bytes, bytes | None]:
        """What the folds since the last call changed, sorted by key; None deletes. Evicts afterwards."""
        raise PermanentError(Problem(code="not-ready", message="take_dirty"))

    def discard(self) -> None:
        """Forget everything: what was folded and not written, and the cache."""
        self._partners.clear()
